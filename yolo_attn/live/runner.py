"""`yolo-attn live`: what is done with each result until somebody stops it.

Drawing and output run in the main thread, beside the pipeline's stages: a window wants it so.
"""

import functools
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from yolo_attn.errors import AttentionError
from yolo_attn.live.annotate import annotate, silent, text
from yolo_attn.live.events import Events
from yolo_attn.live.keys import Keys
from yolo_attn.live.notify import notify
from yolo_attn.live.pipeline import Pipeline
from yolo_attn.live.record import JsonLines, Recorder, file_name
from yolo_attn.live.results import Result
from yolo_attn.live.rules import Rule
from yolo_attn.live.stats import Stats
from yolo_attn.live.status import STATUS_SECONDS, Status
from yolo_attn.live.windows import Windows
from yolo_attn.live.zone_counts import Passage
from yolo_attn.live.zone_log import Passages

LOG_SECONDS = 10.0  # between two lines where the output is no terminal


@dataclass(frozen=True)
class Outputs:
    """What is done with the results: a window, videos, lines of JSON, a page, rules; and the folders for files."""

    folder: Path
    show: bool = False
    save: bool = False
    save_json: bool = False
    page: Any = None
    rules: Sequence[Rule] = ()
    project: Path = Path()
    watchdog: float = 120.0


class Runner:
    """Reads a pipeline and draws, shows, writes and counts what comes out of it."""

    def __init__(self, pipeline: Pipeline, outputs: Outputs):
        self.pipeline, self.sources, self.outputs = pipeline, pipeline.sources, outputs
        self._snapshots, self._said = 0, ""
        self._terminal = sys.stdout.isatty()
        self._events: Events | None = None
        if outputs.rules:  # first, as it may be refused
            self._events = Events(list(outputs.rules), self.sources, outputs.folder, outputs.project, self._say)
        self.stats = Stats(len(self.sources))
        self._lost: list[str] = []  # of what was asked for
        self.page = outputs.page
        self._recorder = Recorder(self._folder()) if outputs.save else None
        self._lines = JsonLines(self._folder() / "detections.jsonl") if outputs.save_json else None
        self._passages = Passages(self._folder() / "zones.csv") if pipeline.zones else None
        self._windows = Windows([source.label for source in self.sources]) if outputs.show else None
        self._pictures: dict[int, np.ndarray] = {}
        self._results: dict[int, Result] = {}
        self.status = Status(pipeline, self.stats, self._results, self._lost)
        if self.page is not None:
            self.page.watched = self.status
        drawn = self._events is not None and self._events.looks
        self._looks = outputs.show or outputs.save or outputs.page is not None or drawn
        self._told = self._logged = self.status.began

    def run(self) -> int:
        """Runs until the sources end or somebody stops it; returns the exit status.

        Raises:
            AttentionError: None of the files could be read, or a stage is stuck.
        """
        handlers = self._catch_signals()
        notify("READY=1")
        try:
            with Keys() as keys:
                for result in self.pipeline.results():
                    if result is not None:
                        self._put_out(result)
                    self._press(keys.pressed())
                    if self._windows is not None:
                        self._press(self._windows.key())
                        if self._windows.all_closed:
                            self._without_windows()
                    now = time.monotonic()
                    if now - self._told >= STATUS_SECONDS:
                        self._told = now
                        self._tell(now)
        finally:
            notify("STOPPING=1")
            self.pipeline.close()
            self._close()
            for number, handler in handlers.items():
                signal.signal(number, handler)
        if not self.stats.frames and all(source.error and not source.live for source in self.sources):
            raise AttentionError(f"{self.sources[0].error}: is it a whole picture or video?")
        print(self.status.summary())
        if self.outputs.folder.exists():
            print(f"Results saved to {self.outputs.folder}")
        self._lost += [f"{source.label}: {source.error}" for source in self.sources if source.error and not source.live]
        if self._lost:
            print(f"ERROR ❌️ not all that was asked for is there: {'; '.join(self._lost)}", file=sys.stderr)
        return 1 if self._lost else 0

    def command(self, name: str) -> None:
        """Does what a key or a button says: `pause`, `resume`, `snapshot`, `gate` or `quit`. Any thread may call it."""
        if name in ("pause", "resume"):
            self.pipeline.paused = name == "pause"
        elif name == "snapshot":
            self._snapshots += 1
        elif name == "gate":  # the next layer's, and behind the last one none
            count = max((len(result.gates) for result in list(self._results.values())), default=0)
            self.status.gate = self.status.gate + 1 if self.status.gate + 1 < count else -1
        elif name == "quit":
            self.pipeline.stop()

    def _put_out(self, result: Result) -> None:
        stats = self.stats
        image = None
        if self._looks:
            image = annotate(result, self.status.gate)
            speed = f"{stats.rates[result.index].fps:.1f} fps  {stats.recent_lag * 1000:.0f} ms"
            text(image, speed, (0, 0), (50, 50, 50))
            self._pictures[result.index] = image
            self._show(result.index, image)
            if recorder := self._recorder:
                source = self.sources[result.index]
                self._attempt(f"the recording of {source.label}", lambda: recorder.write(result, image, source))
        self._results[result.index] = result
        now = time.monotonic()
        result.lag = now - result.captured
        if lines := self._lines:
            self._lines = (
                lines if self._attempt("lines of detections", functools.partial(lines.write, result)) else None
            )
            if self._lines is None:
                lines.close()
        self._log(result, [passage for zone in result.zones for passage in zone.passages])
        if events := self._events:
            self._attempt("a file or message of an event", functools.partial(events.see, result, image), "failed")
        stats.add(result, now)
        if self._snapshots:
            self._snapshot()

    def _log(self, result: Result, passages: list[Passage]) -> None:
        if log := self._passages:
            write = functools.partial(log.write, result, passages)
            if not self._attempt("the list of passages", write):
                self._passages = None
                log.close()

    def _show(self, index: int, image: np.ndarray) -> None:
        if self.page is not None:
            self.page.picture(index, image)
        if self._windows is not None:
            self._windows.show(index, image)

    def _attempt(self, what: str, write: Callable[[], None], how: str = "ended") -> bool:
        """Writes, and tells whether it could be done; if not, it is said, and the exit status will be 1."""
        try:
            write()
        except OSError as error:
            line = f"{what} {how}: {error.strerror}"
            if line not in self._lost:  # what an event asks for may fail again and again
                self._lost.append(line)
                self._say(f"ERROR ❌️ {line} ({self.outputs.folder}); inference goes on")
            return False
        return True

    def _finish_ended(self, recorder: Recorder) -> None:
        """Finishes the recordings of sources that have ended, of which all is through: no film waits for the others."""
        for source in self.sources:
            through = self.stats.of[source.index] + source.dropped >= source.delivered
            if source.state == "ended" and through:
                self._attempt(f"the recording of {source.label}", functools.partial(recorder.finish, source.index))

    def _close(self) -> None:
        if self._recorder:
            self._attempt("a recording", self._recorder.close)
        if self._lines:
            self._lines.close()
        if self.pipeline.zones:
            for index, result in self._results.items():
                self._log(result, self.pipeline.zones.end(index))
        if self._passages:
            self._passages.close()
        if self._events:
            self._attempt("a file or message of an event", self._events.close, "failed")
        if self.page is not None:
            self.page.close()
        if self._windows is not None:
            self._windows.close()
        if self._terminal:
            print("\r\033[K", end="")

    def _snapshot(self) -> None:
        self._snapshots = 0
        try:
            folder = self._folder()
        except AttentionError as error:
            self._say(f"ERROR ❌️ {error}")
            return
        for index, result in self._results.items():
            stamp = time.strftime("%Y%m%d-%H%M%S", time.localtime(result.time))
            file = folder / f"{file_name(result.source)}-{stamp}-{result.number}.jpg"
            image = self._pictures.get(index)
            if cv2.imwrite(str(file), annotate(result) if image is None else image):
                self._say(f"snapshot: {file}")
                self.status.snapshots.append(file)
            else:
                self._say(f"ERROR ❌️ the snapshot {file} cannot be written")

    def _press(self, key: str) -> None:
        if key in ("p", " "):
            self.command("resume" if self.pipeline.paused else "pause")
        elif key in ("s", "g", "q", "\x1b"):
            self.command({"s": "snapshot", "g": "gate"}.get(key, "quit"))

    def _without_windows(self) -> None:
        """Goes on when the last window was closed if something else was asked for, and ends otherwise."""
        self._windows = None
        if not (self._recorder or self._lines or self._events or self._passages or self.page):
            self.command("quit")

    def _catch_signals(self) -> dict:
        """Lets Ctrl-C, SIGTERM and a closed terminal end the run in good order; a second does what it did before."""
        if threading.current_thread() is not threading.main_thread():
            return {}
        numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
        before = {number: signal.getsignal(number) for number in numbers}

        def stop(number, stack):
            signal.signal(number, before[number])
            self.pipeline.stop()

        for number in before:
            signal.signal(number, stop)
        return before

    def _tell(self, now: float) -> None:
        """Says how it goes: on the status line, on the page, and on the pictures of sources that send none."""
        if stage := self.pipeline.stuck(self.outputs.watchdog):
            raise AttentionError(
                f"the stage '{stage}' has been at one frame for {self.outputs.watchdog:.0f} s and is stuck: the run "
                "ends; start it again, or write watchdog=600 where it is only slow"
            )
        notify("WATCHDOG=1")
        if self._snapshots:
            self._snapshot()  # while paused
        self.status.remember()
        if self._recorder:
            self._finish_ended(self._recorder)
        for source in self.sources:
            if source.state in ("connecting", "stalled", "reconnecting"):
                self._show(source.index, silent(self._pictures.get(source.index), f"{source.label}: {source.state}"))
        if self.page is not None:
            self.page.status(self.status.page(self._said))
        line = self.status.line()
        if self._terminal:
            print(f"\r\033[K{line[: self._columns()]}", end="", flush=True)
        elif now - self._logged >= LOG_SECONDS:
            self._logged = now
            print(line, flush=True)

    def _say(self, line: str) -> None:
        self._said = line
        print(f"\r\033[K{line}" if self._terminal else line, flush=True)

    def _columns(self) -> int:
        import shutil

        return shutil.get_terminal_size().columns - 1

    def _folder(self) -> Path:
        try:
            self.outputs.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise AttentionError(
                f"'{self.outputs.folder}' cannot be made: {error.strerror}; name another project=..."
            ) from None
        return self.outputs.folder


def free_folder(project: str, name: str) -> Path:
    """Returns the first of project/name, project/name2, ... that does not exist yet, as Ultralytics counts them."""
    folder, count = Path(project) / name, 1
    while folder.exists():
        count += 1
        folder = Path(project) / f"{name}{count}"
    return folder
