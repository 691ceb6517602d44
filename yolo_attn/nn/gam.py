"""GAM, the global attention mechanism."""

from typing import ClassVar

import torch
from torch import nn

from yolo_attn.errors import AttentionError
from yolo_attn.nn.base import Attention, hidden_channels, mixed
from yolo_attn.nn.info import AttentionInfo
from yolo_attn.nn.layers import BatchNorm2d, PickChannels, ReLU, ShuffleChannels, bottleneck, fold
from yolo_attn.ops.choice import asked, kernels

KERNEL_WIDTH = 256  # hidden channels that the Triton kernel can hold; a wider perceptron stays PyTorch's


class GAM(Attention):
    """Global attention: a full-size channel gate, then a full-size spatial gate; nothing is pooled.

    Liu, Shao, Hoffmann, "Global Attention Mechanism: Retain Information to Enhance Channel-Spatial Interactions",
    2021, arXiv 2112.05561, equations 1 and 2: F2 = Mc(F1) · F1, F3 = Ms(F2) · F2. Mc is a two-layer perceptron over
    the channels of each pixel with a sigmoid; Ms is conv 7×7 C→C/r, BN, ReLU, conv 7×7 C/r→C, BN, sigmoid.
    Names and order of the parameters follow the widely copied PyTorch file, so that its state dicts load.

    Start: torch's, as in that file.

    Differs from the paper:
        - The perceptron is a pair of 1×1 convolutions: the same function without permuting the map.
        - `reduction` is 4, as that file has it. The paper sets "the same r as BAM", 16, which its parameter totals fit.
          Parameters per module 2C²/r + 98C²/(r·groups): at C = 512 and groups = 1 that is 6.6 M for 4, 1.6 M for 16.
        - No official code was found; the shuffle's place (between the grouped convolutions) follows the text.

    Args:
        channels: Channels C of the map.
        reduction: r, the ratio of C to the hidden width of both gates; must divide C.
        groups: Groups of both 7×7 convolutions, with a channel shuffle between them; must divide C / r.
        channel_sigmoid: False gives the widely copied form, which multiplies by the perceptron's raw output. Its result
            grows with the square of the map and overflows fp16 under mixed precision, where the map is large.
    """

    gates: ClassVar = ("channel_attention", "spatial_attention")

    def __init__(self, channels: int, reduction: int = 4, groups: int = 1, channel_sigmoid: bool = True):
        super().__init__(channels)
        self.reduction, self.groups, self.channel_sigmoid = reduction, groups, channel_sigmoid
        hidden = hidden_channels(channels, reduction, "GAM")
        if channels % reduction or groups < 1 or hidden % groups:
            raise AttentionError(
                f"GAM needs channels divisible by reduction × groups, got {channels} / ({reduction} × {groups}); "
                "set {reduction: …, groups: …} to divisors"
            )
        self.channel_attention = bottleneck(channels, hidden)
        if channel_sigmoid:
            self.channel_attention.append(nn.Sigmoid())
        relu = ReLU() if groups == 1 else nn.Sequential(ReLU(), ShuffleChannels(groups))
        self.spatial_attention = nn.Sequential(
            nn.Conv2d(channels, hidden, 7, padding=3, groups=groups),
            BatchNorm2d(hidden),
            relu,
            nn.Conv2d(hidden, channels, 7, padding=3, groups=groups),
            BatchNorm2d(channels),
            nn.Sigmoid(),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not kernels("GAM", x, self.training):
            return super().forward(x)
        if (hidden := self.channels // self.reduction) > KERNEL_WIDTH:
            if asked() != "triton":
                return super().forward(x)
            raise AttentionError(
                f"GAM's kernels take up to {KERNEL_WIDTH} hidden channels, got {hidden}; set YOLO_ATTN_IMPL=eager"
            )
        from yolo_attn.ops.triton.gam import gam_channel

        channel, spatial = self.shares()
        x = gam_channel(x, self.channel_attention.parameters(), self.channel_sigmoid, channel)
        return x * mixed(self.spatial_attention(x), spatial)

    def deploy_gates(self) -> list[nn.Module]:
        conv1, norm1, relu, conv2, norm2, sigmoid = self.spatial_attention
        if self.groups > 1:
            relu = nn.Sequential(ReLU(), PickChannels.shuffled(self.channels // self.reduction, self.groups))
        spatial = nn.Sequential(fold(conv1, norm1), relu, fold(conv2, norm2), sigmoid)
        return [self.channel_attention, spatial]


INFO = AttentionInfo(
    name="GAM",
    cls=GAM,
    kind="channel and spatial",
    title="full-size channel gate per pixel, then two 7×7 convolutions",
    paper="2112.05561",
    year=2021,
    positional=("reduction",),
    aliases=("GAM_Attention", "GAMAttention", "GAMAtt", "GlobalAttention"),
)
