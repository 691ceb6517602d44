"""ELA, efficient local attention."""

import math
from typing import ClassVar

import torch
from torch import nn

from yolo_attn.errors import AttentionError
from yolo_attn.nn.base import Attention
from yolo_attn.nn.info import AttentionInfo
from yolo_attn.ops.reduce import mean, outer


class ELA(Attention):
    """Two gates from strips, as coordinate attention has them, each channel for itself: σ(GN(conv1d(strip))).

    Xu, Wan, "ELA: Efficient Local Attention for Deep Convolutional Neural Networks", 2024, arXiv 2403.01123, section
    3.3: the means over the rows and over the columns go through one convolution along the strip and one group norm,
    both shared by the two, and a sigmoid; y = x · g_h · g_w. The paper's four versions are options: ELA-B the default,
    ELA-T `{kernel_size: 5, norm_groups: 32}`, ELA-S `{kernel_size: 5, width: 8}`, ELA-L `{width: 8}`. No authors' code
    was found; parameter names are those of the form in circulation, whose state dicts load.

    Start: torch's.

    Args:
        channels: Channels C of the map.
        kernel_size: Length of the convolution along the strips, odd.
        norm_groups: Groups of the group norm, which divide C.
        width: Channels in a group of the convolution; 1 is depthwise.
    """

    gates: ClassVar = ("strip_attention",)

    def __init__(self, channels: int, kernel_size: int = 7, norm_groups: int = 16, width: int = 1):
        super().__init__(channels)
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise AttentionError(f"ELA needs an odd kernel_size, got {kernel_size}; set {{kernel_size: 7}}")
        if norm_groups < 1 or channels % norm_groups:
            mend = f"set {{norm_groups: {math.gcd(channels, 16)}}}"
            raise AttentionError(f"ELA cannot norm {channels} channels in {norm_groups} groups; {mend}")
        if width < 1 or channels % width:
            mend = f"set {{width: {math.gcd(channels, 8)}}}"
            raise AttentionError(f"ELA cannot cut {channels} channels into groups of {width}; {mend}")
        self.kernel_size, self.norm_groups, self.width = kernel_size, norm_groups, width
        self.conv = nn.Conv1d(
            channels, channels, kernel_size, padding=kernel_size // 2, groups=channels // width, bias=False
        )
        self.gn = nn.GroupNorm(norm_groups, channels)

    def strip_attention(self, x: torch.Tensor) -> torch.Tensor:
        """`(N, C, H, W)` → `(N, C, H, W)`, the outer product of the two gates."""
        rows, columns = mean(x, (3,), self.training).squeeze(3), mean(x, (2,), self.training).squeeze(2)
        rows, columns = (normed(self.conv(strip), self.gn).sigmoid() for strip in (rows, columns))
        return outer(rows.unsqueeze(3), columns.unsqueeze(2), self.training)

    def deploy_gates(self) -> list[nn.Module]:
        return [StripNormGate(self.conv, self.gn)]


INFO = AttentionInfo(
    name="ELA",
    cls=ELA,
    kind="channel and spatial",
    title="one gate per row and one per column, each channel for itself",
    paper="2403.01123",
    year=2024,
    positional=("kernel_size",),
    aliases=("EfficientLocalAttention", "EfficientLocalizationAttention", "ELA_Attention", "ELABlock"),
)


def normed(x: torch.Tensor, norm: nn.GroupNorm) -> torch.Tensor:
    """Returns the group norm of `x` in its dtype; of a single value too, where torch's function raises."""
    return torch.group_norm(x, norm.num_groups, norm.weight, norm.bias, norm.eps).to(x.dtype)


class StripNormGate(nn.Module):
    """ELA for inference: the strips stay columns and rows of a map, so that nothing is laid out anew."""

    def __init__(self, conv: nn.Conv1d, norm: nn.GroupNorm):
        super().__init__()
        self.down, self.along = along_axis(conv, (1, 0)), along_axis(conv, (0, 1))
        self.norm = norm

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        rows = normed(self.down(x.mean(3, keepdim=True)), self.norm).sigmoid()
        columns = normed(self.along(x.mean(2, keepdim=True)), self.norm).sigmoid()
        return rows * columns


def along_axis(conv: nn.Conv1d, axis: tuple[int, int]) -> nn.Conv2d:
    """Returns a convolution along a strip as one along a map's axis: `(1, 0)` down its rows, `(0, 1)` along them."""
    size, pad = conv.kernel_size[0], conv.kernel_size[0] // 2
    kernel, padding = (size ** axis[0], size ** axis[1]), (pad * axis[0], pad * axis[1])
    strip = nn.Conv2d(conv.in_channels, conv.out_channels, kernel, padding=padding, groups=conv.groups, bias=False)
    strip.weight = nn.Parameter(conv.weight.detach().reshape(strip.weight.shape))
    return strip
