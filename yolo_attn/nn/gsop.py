"""GSoP, global second-order pooling."""

from typing import ClassVar

import torch
from torch import nn

from yolo_attn.errors import AttentionError
from yolo_attn.nn.base import Attention
from yolo_attn.nn.info import AttentionInfo
from yolo_attn.nn.layers import BatchNorm2d, ReLU, draw_by_fan_out, wide
from yolo_attn.nn.shared import affine, average_matrix, capped, fold_all

GRID = 8  # the position form pools the map to GRID × GRID


class GSoP(Attention):
    """A gate from the covariance of the features: how each channel goes together with every other, or each position.

    Gao et al., "Global Second-order Pooling Convolutional Networks", CVPR 2019, arXiv 1811.12006.
    Channel form: ReLU, conv 1×1 C→d, BN, ReLU, covariance d×d over the pixels, BN, one d→4 filter per row of it, conv
    1×1 4d→C, σ. Position form: ReLU, conv 1×1 C→d, BN, mean over an 8×8 grid, covariance 64×64 over the channels, BN,
    one 64→4 filter per row, ReLU, conv 1×1 256→64, σ, and the 8×8 values spread over the map.

    Start: as the authors' ResNet starts it, the weights of convolutions drawn by their fan-out, biases as torch's.

    Differs from the paper:
        - In fp16, features are capped at ±32, so that the covariance stays finite; no normalised feature gets there.
        - d is at most C, so that the default fits every width of a scaled model.
        - The convolution C→d keeps stride 1; the authors use stride 2 in the first stage.
        - As in the authors' code there is no activation between the last two layers of the channel form.
        - Position form: the covariance is centred by the mean over the channels; the authors' code subtracts d / 64
          times that mean, and divides by 64. The gate alone is given: their code also puts a ReLU behind it.

    Args:
        channels: Channels C of the map.
        dimension: d, the width of the covariance; taken as C where C is smaller.
        position: True weighs the positions of the map by the position form, instead of the channels.
    """

    gates: ClassVar = ("second_order_attention",)

    def __init__(self, channels: int, dimension: int = 128, position: bool = False):
        super().__init__(channels)
        if dimension < 2 or channels < 2:
            raise AttentionError(
                f"GSoP needs a covariance of 2 or more, got dimension {dimension} on {channels} channels; "
                "set {dimension: 128} on a wider map"
            )
        self.dimension, self.position = dimension, position
        form = PositionGate if position else ChannelGate
        self.second_order_attention = form(channels, min(dimension, channels))
        draw_by_fan_out(self)

    def deploy_gates(self) -> list[nn.Module]:
        gate = self.second_order_attention
        gate.reduce, gate.excite = fold_all(gate.reduce), fold_rows(gate.excite)
        return [gate]


INFO = AttentionInfo(
    name="GSoP",
    cls=GSoP,
    kind="channel",
    title="gate from the covariance of the channels",
    paper="1811.12006",
    year=2019,
    positional=(),
    aliases=("GSoPBlock", "GSoPNet"),
)


class ChannelGate(nn.Module):
    """`(N, C, H, W)` → `(N, C, 1, 1)`."""

    def __init__(self, channels: int, dimension: int):
        super().__init__()
        self.reduce = nn.Sequential(ReLU(), nn.Conv2d(channels, dimension, 1), BatchNorm2d(dimension), ReLU())
        self.excite = nn.Sequential(*row_filters(dimension), nn.Conv2d(4 * dimension, channels, 1), nn.Sigmoid())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = capped(wide(self.reduce, x))
        pixels = x.shape[2] * x.shape[3]
        # Divided by √N before the product, so that the sum over the map stays inside fp16.
        x = ((x - x.mean((2, 3), keepdim=True)) * pixels**-0.5).flatten(2)
        covariance = x @ x.transpose(1, 2)
        return self.excite(covariance.unsqueeze(2))


class PositionGate(nn.Module):
    """`(N, C, H, W)` → `(N, 1, H, W)`."""

    def __init__(self, channels: int, dimension: int):
        super().__init__()
        self.reduce = nn.Sequential(ReLU(), nn.Conv2d(channels, dimension, 1), BatchNorm2d(dimension))
        cells = GRID * GRID
        self.excite = nn.Sequential(
            *row_filters(cells), ReLU(), nn.Conv2d(4 * cells, cells, 1), nn.Sigmoid(), nn.PixelShuffle(GRID)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        height, width = x.shape[2], x.shape[3]
        x = capped(wide(self.reduce, x))
        x = average_matrix(height, GRID, x) @ (x @ average_matrix(width, GRID, x).t())
        x = ((x - x.mean(1, keepdim=True)) * x.shape[1] ** -0.5).flatten(2)
        gate = self.excite((x.transpose(1, 2) @ x).unsqueeze(2))
        return average_matrix(GRID, height, gate) @ (gate @ average_matrix(GRID, width, gate).t())


def row_filters(rows: int) -> list[nn.Module]:
    """Returns a batch norm for each row of a `(N, rows, 1, rows)` covariance, and 4 filters for each, long as a row."""
    return [BatchNorm2d(rows), nn.Conv2d(rows, 4 * rows, (1, rows), groups=rows)]


def fold_rows(layers: nn.Sequential) -> nn.Sequential:
    """Folds the batch norm before the row filters into them, w · (a x + b) = (a w) x + b Σw, and their biases into the
    next layer where that is linear, too."""
    norm, conv, *rest = layers
    assert isinstance(norm, BatchNorm2d) and isinstance(conv, nn.Conv2d) and conv.bias is not None
    a, b = (value.repeat_interleave(4) for value in affine(norm))
    with torch.no_grad():
        conv.bias += b * conv.weight.sum((1, 2, 3))
        conv.weight *= a.view(-1, 1, 1, 1)
    linear = rest[0]
    if not isinstance(linear, nn.Conv2d):
        return nn.Sequential(conv, *rest)
    assert linear.bias is not None
    with torch.no_grad():
        linear.bias += linear.weight.flatten(1) @ conv.bias
    return nn.Sequential(RowFilters(conv), *rest)


class RowFilters(nn.Module):
    """The row filters for inference, without their biases: `(N, rows, 1, rows)` → `(N, 4 · rows, 1, 1)`.

    A product and a sum: for a convolution in `rows` groups TensorRT would lay the covariance out anew.
    """

    weight: torch.Tensor

    def __init__(self, conv: nn.Conv2d):
        super().__init__()
        self.register_buffer("weight", conv.weight.detach().view(conv.groups, 4, -1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x * self.weight).sum(3).flatten(1)[:, :, None, None]
