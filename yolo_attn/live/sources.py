"""Where frames come from: cameras and streams, which are opened again whenever they fail, and files.

A source is a thread. Its `state` is one of `connecting`, `running`, `stalled` (open, but silent), `reconnecting` and
`ended`.
"""

import threading
import time
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

import cv2
import numpy as np

from yolo_attn.live.mailbox import Mailbox
from yolo_attn.live.naming import SCHEME, camera_name, is_pipeline, redacted
from yolo_attn.live.pace import Pace
from yolo_attn.live.record import PICTURES
from yolo_attn.live.refusals import CANNOT, LONGEST_PAUSE, refusal
from yolo_attn.live.results import Frame, Result

VIDEOS = {".avi", ".gif", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".ts", ".webm", ".wmv"}
COUNTED = {".avi", ".m4v", ".mov", ".mp4"}  # which say how many frames they hold; of the others OpenCV guesses it
OPEN_SECONDS = 5.0  # how long opening may take: an RTSP camera sends its first key frame late
FIRST_PAUSE = 0.1  # seconds between two attempts, doubled after each
SEGMENTED = {".m3u8", ".mpd"}  # playlists of segments


class Source(threading.Thread):
    """A thread that puts frames into a mailbox: subclasses say in `read_all` how they are read.

    Attributes:
        name: What it is called on the picture and in files; without the password of a URL.
        fps: Frames per second as the source says it, 30 where it says nothing.
        frames: How many were read.
        dropped: How many gave way to newer ones before the model took them.
        reconnects: How often it was opened again.
        delivered: How many of them went to the model, or gave way.
        error: Why it is not running, or what of it was lost, for a person.
    """

    live = False
    several = False  # files, each with a name of its own

    def __init__(self, index: int, name: str, keeps_all: bool, stride: int):
        super().__init__(daemon=True)
        self.label = name
        self.index, self.keeps_all, self.stride = index, keeps_all, stride
        self.fps, self.frames, self.dropped, self.reconnects, self.delivered = 30.0, 0, 0, 0, 0
        self.file = ""  # that is read now
        self.error = ""
        self._state, self._last = "connecting", 0.0
        self._stop_event = threading.Event()
        self._mailbox: Mailbox[Frame] | None = None

    @property
    def label(self) -> str:
        return self.name.removeprefix("source ")

    @label.setter
    def label(self, label: str) -> None:
        self.name = f"source {label}"

    @property
    def state(self) -> str:
        """What the source does now."""
        return "stalled" if self._state == "running" and self.is_silent() else self._state

    def is_silent(self) -> bool:
        """Tells whether a camera has sent nothing for longer than it usually does."""
        return False

    def clock(self, result: Result) -> float:
        """Returns when a frame of it was there, in seconds: a camera's by the clock, a film's by the film."""
        return result.captured if self.live else result.number / self.fps

    def start_into(self, mailbox: Mailbox[Frame]) -> None:
        """Starts reading into `mailbox`."""
        self._mailbox = mailbox
        self.start()

    def stop(self) -> None:
        """Lets the thread end after its current read."""
        self._stop_event.set()

    def run(self) -> None:
        assert self._mailbox is not None
        try:
            self.read_all()
        except Exception as error:  # one broken source must not stop the others
            self.error = redacted(str(error).splitlines()[0])
        finally:
            self._state = "ended"
            self._mailbox.finish()

    def read_all(self) -> None:
        raise NotImplementedError

    def deliver(self, image: np.ndarray, captured: float) -> None:
        """Puts a frame that arrived at `captured` into the mailbox."""
        assert self._mailbox is not None
        if image.ndim == 2:
            image = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
        self._state, self._last = "running", captured
        if self.live:
            self.error = ""
        now = time.time() - (time.monotonic() - captured)
        frame = Frame(image, self.index, self.label, self.frames, captured, now, self.file)
        self.delivered += 1
        displaced = self._mailbox.put(self.index, frame)
        if displaced is not None and displaced is not frame:
            self.dropped += 1


class Camera(Source):
    """A webcam, a stream or a GStreamer pipeline. It never ends by itself."""

    live = True

    def __init__(self, index: int, where: int | str, keeps_all: bool, stride: int, timeout: float | None = None):
        super().__init__(index, camera_name(where), keeps_all, stride)
        self.where, self._jpegs = where, False
        self._pace = Pace(timeout, segmented=suffix_of(str(where)) in SEGMENTED)

    def is_silent(self) -> bool:
        return time.monotonic() - self._last > self._pace.limit

    def read_all(self) -> None:
        pause, longest = FIRST_PAUSE, LONGEST_PAUSE
        while not self._stop_event.is_set():
            capture = self._open()
            try:
                if capture.isOpened():
                    rate = capture.get(cv2.CAP_PROP_FPS)
                    self.fps = rate if 1 <= rate <= 240 else 30.0  # MJPEG streams say 25, some cameras nonsense
                    whole = capture.get(cv2.CAP_PROP_FRAME_COUNT)  # of what ends, a film or a playlist
                    count = self._read(capture)
                    if 0 < 0.9 * whole <= count:
                        return
                    if count:
                        pause = FIRST_PAUSE
                    self.error, longest = "" if self._stop_event.is_set() else "stopped sending", LONGEST_PAUSE
                elif not self._stop_event.is_set():
                    self.error, longest = refusal(self.where) if isinstance(self.where, str) else CANNOT
            finally:
                capture.release()
            if not self._stop_event.is_set():
                self._state = "reconnecting"
                self.reconnects += 1
                self._stop_event.wait(pause)
                pause = min(max(2 * pause, longest / 10), longest)

    def _open(self) -> cv2.VideoCapture:
        waits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, int(OPEN_SECONDS * 1000)]
        waits += [cv2.CAP_PROP_READ_TIMEOUT_MSEC, int(self._pace.limit * 1000)]
        self._jpegs = False
        if isinstance(self.where, int):
            capture = cv2.VideoCapture(self.where)
            capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
            return capture
        if is_pipeline(self.where):
            return cv2.VideoCapture(self.where, cv2.CAP_GSTREAMER, waits)
        # One decoding thread: FFmpeg's others each hold a frame back.
        capture = cv2.VideoCapture(self.where, cv2.CAP_FFMPEG, [*waits, cv2.CAP_PROP_N_THREADS, 1])
        if int(capture.get(cv2.CAP_PROP_FOURCC)) == cv2.VideoWriter.fourcc(*"MJPG"):
            # The JPEGs as they come: decoded by OpenCV's FFmpeg, a picture of a new size is squeezed into the first
            # one's, and a broken one is shown half gray.
            self._jpegs = capture.set(cv2.CAP_PROP_FORMAT, -1)
        return capture

    def _read(self, capture: cv2.VideoCapture) -> int:
        """Reads until the camera fails or the source is stopped; returns how many frames came."""
        count = 0
        while not self._stop_event.is_set() and capture.grab():
            captured = time.monotonic()
            self._pace.frame(captured)
            self.frames += 1
            count += 1
            if self.frames % self.stride == 0:
                good, data = capture.retrieve()
                image = cv2.imdecode(data, cv2.IMREAD_COLOR) if good and self._jpegs else data
                if good and image is not None:
                    self.deliver(image, captured)
        self._pace.ended(time.monotonic())
        return count


class Files(Source):
    """Videos and pictures, one after the other, every frame in its order.

    Where not every frame is kept, a video plays at its own speed, as a camera would send it.
    """

    def __init__(self, index: int, name: str, paths: Sequence[Path | str], keeps_all: bool, stride: int):
        super().__init__(index, name, keeps_all, stride)
        self.paths, self.several = paths, len(paths) > 1

    def read_all(self) -> None:
        lost = []
        for path in self.paths:
            if self._stop_event.is_set():
                return
            self.file = redacted(str(path))
            if fault := self._show(path) if suffix_of(str(path)) in PICTURES else self._play(path):
                lost.append(f"'{self.file}' {fault}")
                self.error = lost[0] + (f", and {len(lost) - 1} files more" if lost[1:] else "")

    def _show(self, path: Path | str) -> str:
        """Delivers a picture; returns what is wrong with it."""
        image = cv2.imread(str(path))
        self.frames += 1
        if image is None:
            return "cannot be read"
        self.deliver(image, time.monotonic())
        return ""

    def _play(self, path: Path | str) -> str:
        """Delivers a video; returns what is wrong with it."""
        capture = cv2.VideoCapture(str(path))
        rate, said = capture.get(cv2.CAP_PROP_FPS), int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        self.fps = rate if 1 <= rate <= 1000 else 30.0
        began, count = time.monotonic(), 0
        while not self._stop_event.is_set() and capture.grab():
            count += 1
            self.frames += 1
            if not self.keeps_all:
                self._stop_event.wait(max(began + count / self.fps - time.monotonic(), 0))
            if count % self.stride == 0:
                captured = time.monotonic()
                good, frame = capture.retrieve()
                if good:
                    self.deliver(frame, captured)
        capture.release()
        if not count:
            return "cannot be read"
        counted = suffix_of(str(path)) in COUNTED and not self._stop_event.is_set()
        missing = counted and said - count > max(2, said // 100)  # an edit list leaves a few out
        return f"is damaged: {count} of {said} frames could be read" if missing else ""


def suffix_of(where: str) -> str:
    """Returns the suffix of a file's name, of a URL that of its path: `.mp4`."""
    try:
        return PurePosixPath(urlsplit(where).path if SCHEME.match(where) else where).suffix.lower()
    except ValueError:  # brackets that are none of an address
        return ""
