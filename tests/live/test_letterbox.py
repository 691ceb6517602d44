"""Letterboxes are Ultralytics'."""

import numpy as np

from yolo_attn.live.letterbox import letterbox


def test_letterbox_is_ultralytics():
    from ultralytics.data.augment import LetterBox

    for shape in ((1080, 810), (720, 1280), (333, 77), (10, 2000)):
        for rectangle in (False, True):
            image = np.zeros((*shape, 3), np.uint8)
            padded = LetterBox((320, 320), auto=rectangle, stride=32)(image=image)
            where = letterbox(shape, (320, 320), 32, rectangle)
            assert where.input == padded.shape[:2]
            inside = np.argwhere(padded[..., 0] == 0)
            assert (where.top, where.left) == tuple(inside.min(0))
            assert where.content == tuple(inside.max(0) - inside.min(0) + 1)
