"""The error that an export is judged by, and what is allowed."""

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from yolo_attn.errors import AttentionError
from yolo_attn.export.parity import check_onnx, error, references
from yolo_attn.export.single import exported
from yolo_attn.tolerance import TOLERANCE, allowed


def listed(scores: list[float], classes: list[int], seed: int = 0) -> np.ndarray:
    """Returns a list of detections `(1, n, 6)`."""
    boxes = np.random.default_rng(seed).uniform(0, 100, (len(scores), 4))
    return np.concatenate([boxes, np.array([scores, classes]).T], 1)[None]


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
    want = listed([0.9, 0.5, 0.5, 0.3, 0.1], [0] * 5)
    swapped = want[:, [0, 2, 1, 3, 4]]
    assert error(swapped, want, detections=True) == 0.0
    moved = want.copy()
    moved[0, 1, 0] += 5.0
    assert error(moved, want, detections=True) > TOLERANCE["float32"]


def test_another_class_is_an_error_however_many_there_are():
    want = listed([0.9, 0.8, 0.7, 0.6], [3, 100, 251, 364])
    got = want.copy()
    got[..., 5] += 1
    assert error(got, want, detections=True) >= 0.5


class Magnifier(nn.Module):
    """Turns roundings of what is bright into numbers, and gives what is dark as it is."""

    def __init__(self, factor: float = 1.0):
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(factor))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.factor * x + 1e4 * (((x / 3 + 1000) - 1000) * 3 - x).clamp(min=-1, max=1) * (x > 0.5)


def test_rounding_is_no_error_where_pytorch_has_the_same():
    dark, bright = torch.full((1, 3, 8, 8), 0.25), torch.rand((1, 3, 8, 8)) / 2 + 0.5
    against = references(Magnifier(), [("dark", dark), ("bright", bright)])
    assert [allowed(max(reference.own), "float32") > 1e-2 for reference in against] == [False, True]
    right, wrong = (exported(Magnifier(factor), dark.shape, dynamic=False) for factor in (1.0, 1.0001))
    assert check_onnx(right, against, "float32").error <= allowed(0, "float32")
    with pytest.raises(AttentionError, match=r"differs from the PyTorch model by 2.5e-05 on dark"):
        check_onnx(wrong, against, "float32")


def test_a_model_without_numbers_cannot_be_compared():
    class Nothing(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x / 0

    with pytest.raises(AttentionError, match="own output is not a number"):
        references(Nothing(), [("black", torch.zeros(1, 3, 8, 8))])


def test_a_graph_that_does_not_run_is_one_line():
    model = exported(nn.Conv2d(3, 8, 3), (1, 3, 8, 8), dynamic=False)
    against = references(nn.Conv2d(3, 8, 3), [("larger", torch.zeros(1, 3, 9, 9))])
    onnx.checker.check_model(model)
    with pytest.raises(AttentionError, match="ONNX Runtime cannot run the exported graph") as raised:
        check_onnx(model, against, "float32")
    assert "\n" not in str(raised.value)


def test_a_right_graph_that_is_optimized_into_another_is_kept_with_a_warning(log):
    """ONNX Runtime takes a border of zeros into a maximum, which ignores borders (yolov3-tiny has one)."""
    network = nn.Sequential(nn.ZeroPad2d((0, 1, 0, 1)), nn.MaxPool2d(2, 1))
    against = references(network, [("dark", -torch.rand(1, 3, 8, 8))])
    model = exported(network, (1, 3, 8, 8), dynamic=False)
    assert check_onnx(model, against, "float32", name="padded.onnx").error == 0
    assert "padded.onnx agrees with PyTorch, but not as ONNX Runtime optimizes it" in log.text
