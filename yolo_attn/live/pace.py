"""How long a camera may be silent before it counts as stalled: by its own pace, which differs a thousandfold."""

from collections import deque

LEAST, FIRST, MOST = 1.0, 5.0, 60.0  # seconds: for a fast camera, for one whose pace is not known yet, for any
SEGMENTS = 10.0  # of streams that come in segments, as HLS does: a burst of frames, and then nothing for seconds
TIMES = 3  # as long as the longest gap of late


class Pace:
    """The gaps between a camera's frames.

    Args:
        timeout: Seconds that were asked for, which then count alone.
        segmented: Whether the stream comes in segments.
    """

    def __init__(self, timeout: float | None = None, segmented: bool = False):
        self._timeout, self._least = timeout, SEGMENTS if segmented else LEAST
        self._gaps: deque[float] = deque(maxlen=200)
        self._last: float | None = None

    @property
    def limit(self) -> float:
        """The seconds of silence after which the camera is opened again."""
        if self._timeout is not None:
            return self._timeout
        if not self._gaps:
            return max(FIRST, self._least)
        return min(max(TIMES * max(self._gaps), self._least), MOST)

    def frame(self, now: float) -> None:
        """Takes note of a frame."""
        if self._last is not None:
            self._gaps.append(now - self._last)
        self._last = now

    def ended(self, now: float) -> None:
        """Takes note that reading ended. Where that was for silence, a slower camera may be behind it."""
        if self._last is not None and now - self._last >= 0.9 * self.limit:
            self._gaps.append(now - self._last)
        self._last = None
