"""What is written to disk: videos that can be played whatever happens, and detections as lines of JSON.

Each raises an OSError when it cannot go on; the caller then closes it and runs without it.
"""

import contextlib
import errno
import json
import os
import re
import shutil
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from yolo_attn.live.results import Result

RESERVE = 8 << 20  # bytes that stay free for a video's index, which is written at its end
LOOK_EVERY = 30  # frames between two looks at the room that is left
WRITTEN = {".bmp", ".jpeg", ".jpg", ".jp2", ".png", ".tif", ".tiff", ".webp"}  # pictures that OpenCV writes
PICTURES = WRITTEN | {".dng"}
LONGEST_GAP = 2.0  # seconds of a camera's silence that a video shows as a still picture


class Source(Protocol):
    """What a recording asks of a source: does it send frames by itself, how many a second, and is it many files?"""

    live: bool
    several: bool
    fps: float
    stride: int


class Video:
    """One MP4 file. It has a temporary name until it is closed, and then an index, without which no player opens it."""

    def __init__(self, file: Path, size: tuple[int, int], fps: float):
        self.file, self.part = file, file.with_suffix(".part.mp4")
        self.size, self.fps = size, fps
        self.frames = 0
        self._writer = cv2.VideoWriter(str(self.part), cv2.VideoWriter.fourcc(*"mp4v"), fps, size[::-1])
        if not self._writer.isOpened():
            self.part.unlink(missing_ok=True)
            raise OSError(errno.EIO, f"OpenCV cannot write a video to {self.part}")

    def write(self, image: np.ndarray) -> None:
        """Adds a frame (H, W, 3), BGR."""
        if self.frames % LOOK_EVERY == 0 and room(self.part) < RESERVE:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._writer.write(image)
        self.frames += 1

    def close(self) -> None:
        """Finishes the file and gives it its name; one that no player could open keeps the temporary name."""
        self._writer.release()
        if not self.frames:
            self.part.unlink(missing_ok=True)
        elif not cv2.VideoCapture(str(self.part)).grab():
            raise OSError(errno.EIO, f"{self.part} is damaged")
        else:
            self.part.replace(self.file)


class Recorder:
    """A video for each source, and for each video of a folder; pictures stay pictures, under their own names.

    When a source changes its size, a new file begins. A camera's plays in real time: frames are repeated or left out. A
    file's holds each frame once. What fails of a source is closed and ends that source's recording alone.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self._videos: dict[int, Video] = {}
        self._files: dict[int, str] = {}  # that each video was made from
        self._began: dict[int, float] = {}
        self._named: set[Path] = set()  # in this run, finished or not: two names may be alike as files' names
        self._failed: set[int] = set()

    def write(self, result: Result, image: np.ndarray, source: Source) -> None:
        """Adds a result's picture to what is recorded of its source.

        Raises:
            OSError: It cannot be written. Later frames of this source are left out without a word.
        """
        if result.index in self._failed:
            return
        try:
            if Path(result.file).suffix.lower() in PICTURES:
                self._save(result, image)
            else:
                self._add(result, image, source)
        except OSError:
            self._failed.add(result.index)
            with contextlib.suppress(OSError):
                self.finish(result.index)
            raise

    def finish(self, index: int) -> None:
        """Finishes the video of a source, if there is one; raises OSError where it is damaged."""
        if video := self._videos.pop(index, None):
            video.close()

    def _save(self, result: Result, image: np.ndarray) -> None:
        suffix = Path(result.file).suffix.lower()
        file = self._name(Path(result.file).name, suffix if suffix in WRITTEN else ".jpg")
        if room(self.folder) < RESERVE or not cv2.imwrite(str(file), image):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _add(self, result: Result, image: np.ndarray, source: Source) -> None:
        video = self._videos.get(result.index)
        if video is None or video.size != image.shape[:2] or self._files[result.index] != result.file:
            self.finish(result.index)
            name = self._name(Path(result.file).name if source.several else result.source, ".mp4")
            video = self._videos[result.index] = Video(name, image.shape[:2], source.fps / source.stride)
            self._files[result.index], self._began[result.index] = result.file, result.captured
        if not source.live:
            video.write(image)
            return
        due = (result.captured - self._began[result.index]) * video.fps - video.frames
        if due > LONGEST_GAP * video.fps:
            self._began[result.index] += due / video.fps - LONGEST_GAP
            due = LONGEST_GAP * video.fps
        for _ in range(round(due) + 1):
            video.write(image)

    def close(self) -> None:
        """Finishes all videos."""
        errors = []
        for index in list(self._videos):
            try:
                self.finish(index)
            except OSError as error:
                errors.append(error)
        if errors:
            raise errors[0]

    def _name(self, source: str, suffix: str) -> Path:
        stem, count = file_name(source), 1
        while (
            file := self.folder / f"{stem}{f'-{count}' if count > 1 else ''}{suffix}"
        ).exists() or file in self._named:
            count += 1
        self._named.add(file)
        return file


class JsonLines:
    """A line of JSON for each frame: time, source, the frame's number, lag, and the detections as Ultralytics lays them
    out. A line is there whole or not at all.
    """

    def __init__(self, file: Path):
        self._stream = file.open("ab", buffering=0)

    def write(self, result: Result) -> None:
        """Adds a result's line."""
        values = {"time": round(result.time, 4), "index": result.index, "source": result.source}
        values |= {"file": result.file} if result.file else {}
        values |= {"frame": result.number, "lag_ms": round(result.lag * 1000, 2), "detections": result.summary()}
        values |= {"zones": [zone.summary() for zone in result.zones]} if result.zones else {}
        line, end = (json.dumps(values, ensure_ascii=False) + "\n").encode(), self._stream.tell()
        written = self._stream.write(line) or 0
        if written < len(line):
            self._stream.truncate(end)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def close(self) -> None:
        self._stream.close()


def file_name(source: str) -> str:
    """Returns a source's name as a file's: `camera 0` as `camera-0`; a file's own without its suffix."""
    is_file = re.search(r"\.\w{2,4}$", source) and not re.search(r":\d", source)
    name = source[: source.rindex(".")] if is_file else source
    return re.sub(r"[^\w.-]+", "-", name).strip("-") or "source"


def room(file: Path) -> int:
    """Returns how many bytes `file` may still grow: the disk's free space, and the largest file that is allowed."""
    free = shutil.disk_usage(file if file.is_dir() else file.parent).free
    try:
        import resource
    except ImportError:  # Windows
        return free
    largest = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
    return (
        free
        if largest == resource.RLIM_INFINITY
        else min(free, largest - (0 if file.is_dir() else file.stat().st_size))
    )
