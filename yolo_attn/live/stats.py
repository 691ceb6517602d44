"""Frame rate and lag, in memory of fixed size however long it runs."""

import math
import time
from collections import Counter, deque

WINDOW = 2.0  # seconds over which a rate is taken


class Rate:
    """Frames per second over the intervals of the last two seconds."""

    def __init__(self):
        self._times: deque[float] = deque()

    def add(self, now: float) -> None:
        """Counts a frame at `now`."""
        self._times.append(now)
        while self._times[-1] - self._times[0] > WINDOW:
            self._times.popleft()

    @property
    def fps(self) -> float:
        """The rate: 0 when nothing came for the length of the window."""
        times = self._times
        if len(times) < 2 or time.monotonic() - times[-1] > WINDOW:
            return 0.0
        return (len(times) - 1) / max(times[-1] - times[0], 1e-9)


class Lag:
    """Percentiles of times, counted in steps of one per cent from 0.01 ms on, so that they cost nothing over days."""

    STEP, LEAST = math.log(1.01), 1e-5

    def __init__(self):
        self._counts: dict[int, int] = {}
        self.total, self.seconds = 0, 0.0

    def add(self, seconds: float) -> None:
        """Counts one time."""
        step = math.ceil(math.log(max(seconds, self.LEAST) / self.LEAST) / self.STEP)
        self._counts[step] = self._counts.get(step, 0) + 1
        self.total += 1
        self.seconds += seconds

    def at_most(self, seconds: float) -> int:
        """Returns how many times were not longer than `seconds`, to one per cent of it."""
        last = math.floor(math.log(seconds / self.LEAST) / self.STEP)
        return sum(count for step, count in list(self._counts.items()) if step <= last)

    def percentile(self, percent: float) -> float:
        """Returns the time in seconds that `percent` per cent do not exceed, at most one per cent too long."""
        left = self.total * percent / 100
        for step in sorted(self._counts):
            left -= self._counts[step]
            if left <= 0:
                return self.LEAST * math.exp(step * self.STEP)
        return 0.0


class Stats:
    """What came out: the rate of all sources and of each, the lag, and how often each class was seen."""

    def __init__(self, sources: int):
        self.rate, self.rates = Rate(), [Rate() for _ in range(sources)]
        self.lag = Lag()
        self.recent: deque[float] = deque(maxlen=30)
        self.frames, self.of = 0, [0] * sources
        self.seen_by: list[dict[int, int]] = [{} for _ in range(sources)]  # detections of each class, by source
        self.objects: dict[int, int] = {}  # that were tracked, each counted once, in the class that it began as
        self._newest = [-1] * sources  # track of each source; their numbers only grow
        self.first = self.last = 0.0

    def add(self, result, now: float) -> None:
        """Counts a result that was put out at `now`."""
        self.frames += 1
        self.of[result.index] += 1
        self.first = self.first or now
        self.last = now
        self.rate.add(now)
        self.rates[result.index].add(now)
        self.lag.add(now - result.captured)
        self.recent.append(now - result.captured)
        seen = self.seen_by[result.index]
        for class_id in result.classes:
            seen[class_id] = seen.get(class_id, 0) + 1
        if result.track_id is not None:
            new = result.track_id > self._newest[result.index]
            for class_id in result.class_id[new].tolist():
                self.objects[class_id] = self.objects.get(class_id, 0) + 1
            self._newest[result.index] = max([self._newest[result.index], *result.track_id.tolist()])

    @property
    def seen(self) -> dict[int, int]:
        """Detections of each class, in all sources."""
        counts: Counter[int] = Counter()
        for seen in self.seen_by:
            counts.update(dict(seen))
        return dict(counts)

    @property
    def recent_lag(self) -> float:
        """The middle lag of the last 30 frames, in seconds."""
        return sorted(self.recent)[len(self.recent) // 2] if self.recent else 0.0

    @property
    def mean_fps(self) -> float:
        """Frames per second from the first frame to the last."""
        return (self.frames - 1) / (self.last - self.first) if self.frames > 1 else 0.0
