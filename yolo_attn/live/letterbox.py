"""Pictures made to fit a network's input, as Ultralytics' `LetterBox` and `classify_transforms` make them."""

from typing import NamedTuple

import cv2
import numpy as np

GRAY = np.float32(114 / 255)  # what Ultralytics pads with


class Geometry(NamedTuple):
    """Where a picture lies in the network's input: its rows from `top`, its columns from `left`; sizes are (H, W)."""

    image: tuple[int, int]
    input: tuple[int, int]
    content: tuple[int, int]
    top: int
    left: int

    @property
    def gain(self) -> np.ndarray:
        """Input pixels per picture pixel, in x and y."""
        return np.array([self.content[1] / self.image[1], self.content[0] / self.image[0]], np.float32)

    def points(self, xy: np.ndarray) -> np.ndarray:
        """Returns points (…, 2) of the input as points of the picture."""
        return (xy - np.array([self.left, self.top], np.float32)) / self.gain

    def clipped(self, xy: np.ndarray) -> np.ndarray:
        """Returns points (…, 2) of the input as points of the picture, moved into it."""
        return self.points(xy).clip(0, np.array([self.image[1], self.image[0]], np.float32))


def letterbox(image: tuple[int, int], size: tuple[int, int], stride: int, rectangle: bool) -> Geometry:
    """Returns where a picture of shape `image` lies in an input of `size`, in the middle and with its proportions.

    With `rectangle` the input is cut down to the multiples of `stride` around the picture, as for dynamic models.
    """
    gain = min(size[0] / image[0], size[1] / image[1])
    content = max(round(image[0] * gain), 1), max(round(image[1] * gain), 1)
    spare = [size[i] - content[i] for i in (0, 1)]
    if rectangle:
        spare = [pixels % stride for pixels in spare]
    top, left = (round(pixels / 2 - 0.1) for pixels in spare)
    return Geometry(image, (content[0] + spare[0], content[1] + spare[1]), content, top, left)


def fill(image: np.ndarray, where: Geometry, out: np.ndarray) -> None:
    """Writes a picture (H, W, 3), BGR, into `out` (1, 3, H, W), RGB from 0 to 1; the padding is left as it is."""
    height, width = where.content
    if image.shape[:2] != where.content:
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
    to_planes(image, out[0, :, where.top : where.top + height, where.left : where.left + width])


def fill_crop(image: np.ndarray, out: np.ndarray) -> None:
    """Writes the middle of a picture (H, W, 3), BGR, into `out` (1, 3, H, W): the shorter side fits.

    Ultralytics shrinks with Pillow here, whose filter is a triangle; OpenCV's for shrinking is a box, so that
    probabilities differ by some thousandths.
    """
    height, width = out.shape[2:]
    rows, columns = image.shape[:2]
    if height == width:
        short = min(rows, columns)
        size = (int(height * columns / short), int(height * rows / short))
    else:
        size = (width, height)
    shrinks = size[0] < columns
    image = cv2.resize(image, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    top, left = round((size[1] - height) / 2), round((size[0] - width) / 2)
    to_planes(image[top : top + height, left : left + width], out[0])


def to_planes(image: np.ndarray, out: np.ndarray) -> None:
    """Writes a picture (H, W, 3), BGR from 0 to 255, into `out` (3, H, W), RGB from 0 to 1."""
    for plane in range(3):
        np.divide(image[..., 2 - plane], np.float32(255), out=out[plane], casting="same_kind")
