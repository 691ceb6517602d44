"""What a model's attention multiplies by, over the picture: of files exported with `gates=True`."""

from typing import NamedTuple

import cv2
import numpy as np

from yolo_attn.live.letterbox import Geometry

SHARE = 0.55  # of the colour in what is seen


class Gate(NamedTuple):
    """One layer's gate in a frame, the mean of its channels: (h, w) over the network's input."""

    layer: str
    values: np.ndarray
    where: Geometry

    def over_picture(self) -> np.ndarray:
        """Returns the gate at each pixel of the picture, (H, W): what lay in the network's map there."""
        return self.values[np.ix_(*(self._places(axis) for axis in (0, 1)))]

    def _places(self, axis: int) -> np.ndarray:
        where, before = self.where, (self.where.top, self.where.left)
        pixels = (np.arange(where.image[axis]) + 0.5) / where.image[axis] * where.content[axis] + before[axis]
        return (pixels / where.input[axis] * self.values.shape[axis]).astype(int)


def tinted(image: np.ndarray, gate: Gate) -> np.ndarray:
    """Returns a picture, (H, W, 3) BGR, in gray, with a gate over it: dark blue is 0, yellow its largest value."""
    values = gate.over_picture()
    scaled = (values / max(float(values.max()), 1e-6) * 255).clip(0, 255).astype(np.uint8)
    gray = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    return cv2.addWeighted(gray, 1 - SHARE, cv2.applyColorMap(scaled, cv2.COLORMAP_CIVIDIS), SHARE, 0)
