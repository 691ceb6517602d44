"""The stages and the queues between them: sources → prepare → infer → decode → whoever reads `results()`.

Each stage is a thread, and all that is slow in it (decoding pictures, resizing, the network) runs outside of Python's
lock, so that the stages overlap. The queues are bounded. Where not every frame counts, a newer one takes the place of
an older one before the model and before the network, so that lag does not grow when the network cannot follow.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import cv2

from yolo_attn.live.mailbox import Mailbox
from yolo_attn.live.model import Model, Work
from yolo_attn.live.results import Frame, Result
from yolo_attn.live.sources import Source
from yolo_attn.live.zones import Zones

TICK = 0.2  # seconds after which `results(ticks=True)` says that nothing came


class Pipeline:
    """Sources, a model, and the threads between them.

    Attributes:
        steps: What is added to each result behind the model, in this order: tracks, zones.
        paused: While set, nothing is taken by the network: cameras go on, files wait.
        spent: How many frames each stage has been through, and the seconds that it took for them.
    """

    def __init__(self, model: Model, sources: list[Source], steps: Sequence[Callable[[Result], None]] = ()):
        self.model, self.sources, self.steps = model, sources, steps
        self.spent = dict.fromkeys(("prepare", "infer", "decode"), (0, 0.0))
        self._since: dict[str, float] = {}  # when each stage began with the frame that it has
        self._resumed = threading.Event()
        self._resumed.set()
        self._error: BaseException | None = None
        keeps_all = [source.keeps_all for source in sources]
        self._captured: Mailbox[Frame] = Mailbox(keeps_all, writers=len(sources))
        self._prepared: Mailbox[Work] = Mailbox(keeps_all)
        self._inferred: Mailbox[Work] = Mailbox([True])
        self._results: Mailbox[Result] = Mailbox([True])
        self._threads = [
            threading.Thread(target=self._guard, args=(stage, out), name=stage.__name__, daemon=True)
            for stage, out in (
                (self._prepare, self._prepared),
                (self._infer, self._inferred),
                (self._decode, self._results),
            )
        ]

    @property
    def zones(self) -> Zones | None:
        """The step that counts in zones, if there is one."""
        return next((step for step in self.steps if isinstance(step, Zones)), None)

    @property
    def paused(self) -> bool:
        return not self._resumed.is_set()

    @paused.setter
    def paused(self, paused: bool) -> None:
        (self._resumed.clear if paused else self._resumed.set)()

    def results(self) -> Iterator[Result | None]:
        """Yields what was found in each frame, and None whenever nothing came for a while.

        Ends when all sources have ended or after `stop()`; an error of a stage is raised here.
        """
        cv2.setNumThreads(1)  # the stages overlap; more threads within one only get in the others' way
        for thread in self._threads:
            thread.start()
        for source in self.sources:
            source.start_into(self._captured)
        try:
            while not self._results.done:
                result = self._results.poll(TICK)
                if result is not None:
                    result.lag = time.monotonic() - result.captured
                yield result
        finally:
            self.close()
        if self._error:
            raise self._error

    def stuck(self, seconds: float) -> str:
        """Returns the stage that has been at one frame for longer than `seconds`; empty where none has."""
        now = time.monotonic()
        return next((stage for stage, since in list(self._since.items()) if now - since > seconds), "")

    def stop(self) -> None:
        """Lets `results()` end after what is in it; may be called from a signal's handler or another thread."""
        self._captured.end()  # not waiting for a camera that hangs
        self._resumed.set()
        for source in self.sources:
            source.stop()

    def close(self) -> None:
        """Stops everything at once and waits for the threads; a camera that hangs is left to its time-out."""
        self.stop()
        for mailbox in (self._captured, self._prepared, self._inferred, self._results):
            mailbox.close()
        until = time.monotonic() + 2
        for thread in [*self._threads, *self.sources]:
            if thread.is_alive():
                thread.join(max(until - time.monotonic(), 0))

    def _guard(self, stage: Callable[[], None], out: Mailbox) -> None:
        try:
            stage()
        except BaseException as error:
            self._error = self._error or error
            for mailbox in (self._captured, self._prepared, self._inferred):
                mailbox.close()
        finally:
            out.finish()

    @contextmanager
    def _working(self, stage: str) -> Iterator[None]:
        began = self._since[stage] = time.monotonic()
        yield
        self._since[stage] = float("inf")
        frames, seconds = self.spent[stage]
        self.spent[stage] = frames + 1, seconds + time.monotonic() - began

    def _prepare(self) -> None:
        while (frame := self._captured.take()) is not None:
            with self._working("prepare"):
                work = self.model.prepare(frame)
            displaced = self._prepared.put(frame.index, work)
            if displaced is not None:
                self.model.release(displaced)
                self.sources[frame.index].dropped += displaced is not work

    def _infer(self) -> None:
        while True:
            self._resumed.wait()
            work = self._prepared.take()
            if work is None:
                return
            with self._working("infer"):
                self.model.infer(work)
            self._inferred.put(0, work)

    def _decode(self) -> None:
        while (work := self._inferred.take()) is not None:
            with self._working("decode"):
                result = self.model.decode(work)
                for step in self.steps:
                    step(result)
            self._results.put(0, result)
