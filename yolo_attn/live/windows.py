"""Windows, one for each source: tried in a process of its own first, as Qt ends a process that finds no screen."""

import os
import subprocess
import sys
from collections.abc import Sequence

import cv2
import numpy as np

TITLE = "yolo-attn live"
TRY = f"import cv2; cv2.namedWindow('{TITLE}'); cv2.pollKey(); cv2.destroyAllWindows()"
SECONDS = 30.0  # for a window to open; a screen at the end of a dead connection never answers


def can_show() -> bool:
    """Tells whether OpenCV can open a window here."""
    if sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return False
    try:
        tried = subprocess.run([sys.executable, "-c", TRY], capture_output=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return False
    return tried.returncode == 0


def is_open(title: str) -> bool:
    """Tells whether there is a window of that title."""
    try:
        return cv2.getWindowProperty(title, cv2.WND_PROP_VISIBLE) > 0
    except cv2.error:  # with the last window goes all of Qt
        return False


class Windows:
    """A window for each source, from its first picture on. One that somebody closes stays closed."""

    def __init__(self, titles: Sequence[str]):
        self._titles = [TITLE] if len(titles) == 1 else list(titles)
        self._open: set[int] = set()
        self._closed: set[int] = set()

    def show(self, index: int, image: np.ndarray) -> None:
        """Shows a source's picture, (H, W, 3) BGR."""
        if index in self._closed:
            return
        if index not in self._open:
            cv2.namedWindow(self._titles[index], cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO)
            cv2.resizeWindow(self._titles[index], image.shape[1], image.shape[0])
            self._open.add(index)
        cv2.imshow(self._titles[index], image)

    def key(self) -> str:
        """Returns the key that was pressed in one of them, or nothing, and sees which were closed."""
        key = cv2.pollKey()
        for index in list(self._open):
            if not is_open(self._titles[index]):
                self._open.discard(index)
                self._closed.add(index)
        return chr(key & 0xFF) if key >= 0 else ""

    @property
    def all_closed(self) -> bool:
        """Whether somebody has closed every window there was."""
        return bool(self._closed) and not self._open

    def close(self) -> None:
        """Closes what is open."""
        if self._open:
            cv2.destroyAllWindows()
