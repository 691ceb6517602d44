"""BAM, the bottleneck attention module."""

from typing import ClassVar

import torch
from torch import nn

from yolo_attn.errors import AttentionError
from yolo_attn.nn.base import Attention, hidden_channels
from yolo_attn.nn.info import AttentionInfo
from yolo_attn.nn.layers import draw_by_fan_out, wide, zero_biases
from yolo_attn.nn.shared import conv_norm_relu, fold_all


class BAM(Attention):
    """A channel branch and a spatial branch side by side, joined into one full-size gate above 1: x · (1 + σ(Mc + Ms)).

    Park et al., "BAM: Bottleneck Attention Module", BMVC 2018, arXiv 1807.06514. Mc is a two-layer perceptron on the
    mean over the map, `(N, C, 1, 1)`; Ms is conv 1×1 C→C/r, two dilated convs 3×3, conv 1×1 C/r→1, `(N, 1, H, W)`. It
    was made to stand between stages, not inside blocks.

    Start: as the authors' ResNet starts it, the spatial branch's convolutions drawn by their fan-out, biases 0; the
    channel branch, linear layers there, as torch starts it.

    Differs from the paper: batch norm and ReLU follow every convolution but a branch's last, as in the authors' code
    (Jongchan/attention-module); the paper's equations have one batch norm at the end of each branch. That code pools
    with a square window as high as the map: it fails on maps higher than wide, and on maps from twice as wide as high,
    and sees a part of those between. Here the mean is over the whole of any map.

    Args:
        channels: Channels C of the map.
        reduction: r, the ratio of C to the hidden width of both branches.
        dilation: Dilation (and padding) of the two 3×3 convolutions.
        product: True joins the branches by Mc · Ms, as the authors' code does; the paper finds the sum better.
    """

    gates: ClassVar = ("bottleneck_attention",)

    def __init__(self, channels: int, reduction: int = 16, dilation: int = 4, product: bool = False):
        super().__init__(channels)
        if dilation < 1:
            raise AttentionError(f"BAM needs a positive dilation, got {dilation}; set {{dilation: 4}}")
        self.reduction, self.dilation, self.product = reduction, dilation, product
        hidden = hidden_channels(channels, reduction, "BAM")
        self.bottleneck_attention = BottleneckGate(channels, hidden, dilation, product)
        draw_by_fan_out(self.bottleneck_attention.spatial)
        zero_biases(self)

    def deploy_gates(self) -> list[nn.Module]:
        return [self.bottleneck_attention.fold()]


INFO = AttentionInfo(
    name="BAM",
    cls=BAM,
    kind="channel and spatial",
    title="channel branch and dilated spatial branch, summed into one gate above 1",
    paper="1807.06514",
    year=2018,
    positional=("reduction",),
    aliases=("BAMBlock", "BAM_Attention", "BAMAttention"),
)


class BottleneckGate(nn.Module):
    """`(N, C, H, W)` → `(N, C, H, W)`: 1 + σ(channel + spatial), or their product."""

    def __init__(self, channels: int, hidden: int, dilation: int, product: bool):
        super().__init__()
        self.product = product
        self.channel = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), *conv_norm_relu(channels, hidden), nn.Conv2d(hidden, channels, 1)
        )
        self.spatial = nn.Sequential(
            *conv_norm_relu(channels, hidden),
            *conv_norm_relu(hidden, hidden, 3, dilation),
            *conv_norm_relu(hidden, hidden, 3, dilation),
            nn.Conv2d(hidden, 1, 1),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        channel, spatial = self.channel(x), wide(self.spatial, x)
        return 1 + (channel * spatial if self.product else channel + spatial).sigmoid()

    def fold(self) -> nn.Module:
        """Folds the batch norms into the convolutions, in place."""
        self.channel, self.spatial = fold_all(self.channel), fold_all(self.spatial)
        return self
