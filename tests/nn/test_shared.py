"""What several operators share."""

import pytest
import torch
from torch import nn

from yolo_attn.nn.shared import average_matrix


@pytest.mark.parametrize("pixels", [1, 2, 6, 7, 8, 13, 20, 80])
@pytest.mark.parametrize("count", [1, 7, 8, 14, 40])
def test_average_matrix_is_adaptive_pooling(pixels, count):
    x = torch.randn(3, pixels, dtype=torch.float64)
    expected = nn.functional.adaptive_avg_pool1d(x, count)
    assert (x @ average_matrix(pixels, count, x).t() - expected).abs().max() < 1e-12
