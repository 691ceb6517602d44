"""Short videos around an event, from some seconds before it: kept as JPEGs, written in a thread of its own."""

import threading
from collections import deque
from pathlib import Path

import cv2
import numpy as np

from yolo_attn.live.record import Video

BEFORE, AFTER = 5.0, 5.0  # seconds of a clip before its event and after
LONGEST = 60.0  # seconds of a clip that further events prolong
QUALITY = 85  # of the JPEGs, in per cent

Picture = tuple[float, bytes]  # when it was captured, and its JPEG


class Clips:
    """The last seconds of each source, and the clips that are made of them."""

    def __init__(self):
        self._recent: dict[int, deque[Picture]] = {}
        self._running: dict[int, tuple[Path, list[Picture], float]] = {}  # file, pictures, until when
        self._threads: list[threading.Thread] = []
        self.errors: list[OSError] = []

    def add(self, index: int, image: np.ndarray, now: float) -> None:
        """Takes a picture (H, W, 3), BGR, of a source at `now` in seconds."""
        jpeg = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes()
        recent = self._recent.setdefault(index, deque())
        recent.append((now, jpeg))
        while now - recent[0][0] > BEFORE:
            recent.popleft()
        if index in self._running:
            file, pictures, until = self._running[index]
            if now <= until:
                pictures.append((now, jpeg))
            else:
                self._finish(index)

    def start(self, index: int, file: Path, now: float) -> Path:
        """Begins a clip whose last picture is there already, or prolongs the one that runs; returns its file."""
        if index in self._running:
            running, pictures, _ = self._running[index]
            if now - pictures[0][0] < LONGEST:
                self._running[index] = running, pictures, now + AFTER
                return running
            self._finish(index)
        self._running[index] = file, list(self._recent[index]), now + AFTER
        return file

    def close(self) -> None:
        """Finishes all clips, with what there is of them; raises an OSError where one could not be written."""
        for index in list(self._running):
            self._finish(index)
        for thread in self._threads:
            thread.join()
        if self.errors:
            raise self.errors[0]

    def _finish(self, index: int) -> None:
        file, pictures, _ = self._running.pop(index)
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        self._threads.append(threading.Thread(target=self._write, args=(file, pictures), name=f"clip {file.name}"))
        self._threads[-1].start()

    def _write(self, file: Path, pictures: list[Picture]) -> None:
        seconds = pictures[-1][0] - pictures[0][0]
        rate = (len(pictures) - 1) / seconds if seconds > 0 else 1.0  # it plays in real time
        try:
            size = decoded(pictures[0][1]).shape[:2]
            video = Video(file, size, min(max(rate, 1.0), 240.0))
            try:
                for _, jpeg in pictures:
                    image = decoded(jpeg)
                    video.write(image if image.shape[:2] == size else cv2.resize(image, size[::-1]))
            finally:
                video.close()
        except OSError as error:
            self.errors.append(error)


def decoded(jpeg: bytes) -> np.ndarray:
    """Returns the picture (H, W, 3), BGR, of a JPEG that was made here."""
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return image
