"""CoordAtt, coordinate attention."""

from typing import ClassVar

import torch
from torch import nn

from yolo_attn.errors import AttentionError
from yolo_attn.nn.base import Attention
from yolo_attn.nn.info import AttentionInfo
from yolo_attn.nn.layers import BatchNorm2d, Hardswish, draw_by_fan_out, fold, wide, zero_biases
from yolo_attn.ops.choice import kernels
from yolo_attn.ops.reduce import mean, outer


class CoordAtt(Attention):
    """Two gates from strips: one value per row and one per column, so that the position along each axis is kept.

    Hou, Zhou, Feng, "Coordinate Attention for Efficient Mobile Network Design", CVPR 2021, arXiv 2103.02907,
    equations 4 to 8: f = h-swish(BN(conv 1×1 ([mean over W; mean over H]))), gates σ(conv_h f_h) and σ(conv_w f_w),
    y = x · g_h · g_w. Parameter names follow the authors' code (Andrew-Qibin/CoordAttention), whose state dicts load.

    Those of their `mbv2_ca.py`, where the last two layers are conv2 and conv3, load too.

    Start: as that file starts a MobileNetV2, convolutions drawn by their fan-out, N(0, 2 / outputs), biases 0.

    In training the batch norm's statistics are those of both strips together, as the concatenation in the paper has
    it; copies that normalise each strip by itself train another network.

    Args:
        channels: Channels C of the map.
        reduction: Ratio of C to the strips' hidden width, which is at least 8.
    """

    gates: ClassVar = ("coordinate_attention",)
    renamed: ClassVar = {"conv2.": "conv_h.", "conv3.": "conv_w."}

    def __init__(self, channels: int, reduction: int = 32):
        super().__init__(channels)
        if reduction < 1:
            raise AttentionError(f"CoordAtt needs a positive reduction, got {reduction}; set {{reduction: 32}}")
        self.reduction = reduction
        hidden = max(8, channels // reduction)
        self.conv1 = nn.Conv2d(channels, hidden, 1)
        self.bn1 = BatchNorm2d(hidden)
        self.act = Hardswish()
        self.conv_h = nn.Conv2d(hidden, channels, 1)
        self.conv_w = nn.Conv2d(hidden, channels, 1)
        draw_by_fan_out(self)
        zero_biases(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not kernels("CoordAtt", x, self.training):
            return super().forward(x)
        from yolo_attn.ops.triton.coordatt import coordatt

        return coordatt(x, self.strip_gates, *self.shares())

    def coordinate_attention(self, x: torch.Tensor) -> torch.Tensor:
        """`(N, C, H, W)` → `(N, C, H, W)`, the outer product of the two gates."""
        return outer(*self.strip_gates(mean(x, (3,), self.training), mean(x, (2,), self.training)), self.training)

    def strip_gates(self, rows: torch.Tensor, columns: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Returns the gates of the rows `(N, C, H, 1)` and of the columns `(N, C, 1, W)`, from means so shaped."""
        both = torch.cat((rows, columns.transpose(2, 3)), 2)  # (N, C, H + W, 1): a strip is transposed, not the map
        lengths = rows.shape[2], columns.shape[3]
        return wide(lambda strips: self.excite(strips, *lengths), both)

    def excite(self, both: torch.Tensor, height: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Returns both gates from the means of rows and columns, one above the other, `(N, C, height + width, 1)`."""
        rows, columns = self.act(self.bn1(self.conv1(both))).split((height, width), 2)
        return self.conv_h(rows).sigmoid(), self.conv_w(columns.transpose(2, 3)).sigmoid()

    def deploy_gates(self) -> list[nn.Module]:
        return [StripGate(fold(self.conv1, self.bn1), self.act, self.conv_h, self.conv_w)]


INFO = AttentionInfo(
    name="CoordAtt",
    cls=CoordAtt,
    kind="channel and spatial",
    title="one gate per row and one per column",
    paper="2103.02907",
    year=2021,
    positional=("reduction",),
    aliases=(
        "CA",
        "CABlock",
        "CoordinateAttention",
        "CoordAttention",
        "Coord_Attention",
        "CA_Block",
        "CAAttention",
    ),
)


class StripGate(nn.Module):
    """Coordinate attention for inference.

    With the statistics fixed, each strip goes its own way, untransposed; and as a convolution 1×1 and a mean may change
    places, the map is read once, to its few hidden channels, and these are averaged.
    """

    def __init__(self, conv: nn.Module, act: nn.Module, conv_h: nn.Module, conv_w: nn.Module):
        super().__init__()
        self.squeeze, self.act = conv, act
        self.conv_h, self.conv_w = conv_h, conv_w

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden = self.squeeze(x)
        rows = self.conv_h(self.act(hidden.mean(3, keepdim=True))).sigmoid()
        columns = self.conv_w(self.act(hidden.mean(2, keepdim=True))).sigmoid()
        return rows * columns
