"""Videos whose frames carry their numbers."""

from pathlib import Path

import cv2
import numpy as np

from tests.support.live_camera import picture


def video(file: Path, frames: int, size: tuple[int, int] = (120, 160)) -> Path:
    """Writes a video whose frames carry their numbers, from 1."""
    writer = cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*"mp4v"), 30, size[::-1])
    for number in range(1, frames + 1):
        writer.write(picture(number, size))
    writer.release()
    return file


def frames_of(file: Path) -> list[np.ndarray]:
    capture, frames = cv2.VideoCapture(str(file)), []
    while (read := capture.read())[0]:
        frames.append(read[1])
    return frames
