"""Where frames come from: cameras and streams, which are opened again whenever they fail, and files.

A source is a thread. Its `state` is one of `connecting`, `running`, `stalled` (open, but silent), `reconnecting` and
`ended`.
"""

import glob
import re
import threading
import time
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

import cv2
import numpy as np

from yolo_attn.errors import AttentionError
from yolo_attn.live.mailbox import Mailbox
from yolo_attn.live.naming import SCHEME, camera_name, given_name, is_pipeline, redacted, told_apart
from yolo_attn.live.pace import Pace
from yolo_attn.live.record import PICTURES
from yolo_attn.live.refusals import CANNOT, LONGEST_PAUSE, refusal
from yolo_attn.live.results import Frame

IMAGES = PICTURES
VIDEOS = {".avi", ".gif", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".ts", ".webm", ".wmv"}
FILMS = VIDEOS - {".ts"}  # which end, over HTTP too
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
                    whole = capture.get(
                        cv2.CAP_PROP_FRAME_COUNT
                    )  # of a film or a playlist that ends; a camera has none
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
            if fault := self._show(path) if suffix_of(str(path)) in IMAGES else self._play(path):
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


def open_sources(source, keeps_all: bool | None, stride: int, timeout: float | None = None) -> list[Source]:
    """Returns the sources that `source` names, not started yet.

    Args:
        source: A camera's number, a URL, a GStreamer pipeline, a file, a folder, a pattern such as `*.jpg`, a
            `.streams` file with one source a line, several of these with commas between them, or a list of them; each
            with a name of its own or without, `door@rtsp://camera/live`.
        keeps_all: Whether every frame counts; without it, for files alone.
        stride: Every which frame is taken.
        timeout: Seconds of silence after which a camera is opened again; without it, by its own pace.

    Raises:
        AttentionError: Something that is named does not exist, or OpenCV cannot open its kind.
    """
    texts = list(source) if isinstance(source, list | tuple) else _split(str(source))
    if not texts:
        raise AttentionError("there is no source: write source=0 for the first camera, or a URL or a file")
    given, wheres = zip(*(given_name(str(text)) for text in texts), strict=True)
    sources = [_open(index, where, keeps_all, stride, timeout) for index, where in enumerate(wheres)]
    names = [name or one.label for name, one in zip(given, sources, strict=True)]
    paths = [
        None if name or isinstance(one, Camera) else Path(where)
        for name, one, where in zip(given, sources, wheres, strict=True)
    ]
    for one, name in zip(sources, told_apart(names, paths), strict=True):
        one.label = name
    return sources


def _split(text: str) -> list[str]:
    if text.endswith(".streams"):
        if not Path(text).is_file():
            raise AttentionError(f"there is no file '{text}'; it holds one source a line")
        lines = [line.strip() for line in Path(text).read_text(encoding="utf-8-sig").splitlines()]
        return [line for line in lines if line and not line.startswith("#")]
    parts = [part.strip() for part in text.split(",") if part.strip()]
    return parts if len(parts) > 1 and all(_is_one(part) for part in parts) else [text]


def _is_one(text: str) -> bool:
    text = given_name(text)[1]
    return (text.isdecimal() and len(text) < 3) or "://" in text or Path(text).exists()  # ?size=640,480 is one URL


def suffix_of(where: str) -> str:
    """Returns the suffix of a file's name, of a URL that of its path: `.mp4`."""
    try:
        return PurePosixPath(urlsplit(where).path if SCHEME.match(where) else where).suffix.lower()
    except ValueError:  # brackets that are none of an address
        return ""


def _open(index: int, text: str, keeps_all: bool | None, stride: int, timeout: float | None) -> Source:
    if text.isdecimal():
        return Camera(index, int(text), bool(keeps_all), stride, timeout)
    if is_pipeline(text):
        if not re.search(r"GStreamer:\s+YES", cv2.getBuildInformation()):
            raise AttentionError(
                f"'{redacted(text)}' is a GStreamer pipeline, and this OpenCV has no GStreamer: use your system's (apt "
                "install python3-opencv)"
            )
        return Camera(index, text, bool(keeps_all), stride, timeout)
    if SCHEME.match(text):
        if re.match("https?:", text, re.IGNORECASE) and suffix_of(text) in FILMS:
            return Files(index, camera_name(text), [text], keeps_all is not False, stride)
        return Camera(index, text, bool(keeps_all), stride, timeout)
    path = Path(text)
    if path.is_dir():
        found = sorted(p for p in path.iterdir() if p.suffix.lower() in IMAGES | VIDEOS)
    elif path.is_file():
        found = [path]
    else:
        found = sorted(map(Path, glob.glob(text, recursive=True)))  # noqa: PTH207 - the pattern may be absolute
    if not found:
        raise AttentionError(
            f"source '{redacted(text)}' is no camera number, URL, file or folder with pictures or videos"
        )
    if unknown := [p for p in found if p.suffix.lower() not in IMAGES | VIDEOS]:
        raise AttentionError(f"source '{unknown[0]}' is neither a picture nor a video that is known by its name")
    # Pictures always count all: they are no stream.
    keeps_all = keeps_all is not False or found[0].suffix.lower() in IMAGES
    return Files(index, path.name or text, found, keeps_all, stride)
