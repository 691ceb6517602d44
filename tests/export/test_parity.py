"""The error that an export is judged by."""

import numpy as np
import pytest

from yolo_attn.export.parity import error
from yolo_attn.tolerance import TOLERANCE


def test_the_error_sees_what_it_is_for():
    want = np.zeros((1, 6, 10), np.float32)
    want[:, :4] = 600.0
    got = want.copy()
    got[0, 5, 3] = 0.05  # a score, beside boxes of hundreds of pixels
    assert error(got, want) == pytest.approx(0.05)
    got[0, 5, 3] = np.nan
    assert error(got, want) == float("inf")
    assert error(got[:, :5], want) == float("inf")


def test_detections_may_change_places_only_where_scores_tie():
    boxes = np.random.default_rng(0).uniform(0, 100, (1, 5, 4))
    want = np.concatenate([boxes, np.array([0.9, 0.5, 0.5, 0.3, 0.1])[None, :, None], np.zeros((1, 5, 1))], 2)
    swapped = want[:, [0, 2, 1, 3, 4]]
    assert error(swapped, want, detections=slice(4, 5)) == 0.0
    moved = want.copy()
    moved[0, 1, 0] += 5.0
    assert error(moved, want, detections=slice(4, 5)) > TOLERANCE["float32"]
