"""ECA, efficient channel attention."""

import math
from typing import ClassVar

import torch
from torch import nn

from yolo_attn.errors import AttentionError
from yolo_attn.nn.base import Attention
from yolo_attn.nn.info import AttentionInfo
from yolo_attn.ops.reduce import mean


class ECA(Attention):
    """A channel gate in which each channel's pooled value looks at its k neighbours: σ(conv1d_k(avgpool x)).

    Wang et al., "ECA-Net: Efficient Channel Attention for Deep Convolutional Neural Networks", CVPR 2020,
    arXiv 1910.03151, equations 9 and 12: k = |log2(C) / 2 + 1 / 2|, taken to an odd number. One kernel is shared by
    all channels, without bias.

    Start: torch's, as in the authors' code (BangguWu/ECANet), which draws two-dimensional convolutions alone.

    Args:
        channels: Channels C of the map.
        kernel_size: k, odd. Left out, the formula gives it: 3 up to C = 127, 5 from 128, 7 from 2048. The authors'
            code takes it by hand and defaults to 3.
    """

    gates: ClassVar = ("channel_attention",)

    def __init__(self, channels: int, kernel_size: int | None = None):
        super().__init__(channels)
        self.kernel_size = kernel_size = kernel_by_formula(channels) if kernel_size is None else kernel_size
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise AttentionError(
                f"ECA needs an odd kernel_size, got {kernel_size}; leave it out or set {{kernel_size: 3}}"
            )
        self.conv = nn.Conv1d(1, 1, kernel_size, padding=kernel_size // 2, bias=False)

    def channel_attention(self, x: torch.Tensor) -> torch.Tensor:
        """`(N, C, H, W)` → `(N, C, 1, 1)`."""
        pooled = mean(x, (2, 3), self.training).flatten(1).unsqueeze(1)
        return self.conv(pooled).sigmoid().transpose(1, 2).unsqueeze(3)

    def deploy_gates(self) -> list[nn.Module]:
        return [BandedChannelGate(self.conv.weight.flatten(), self.channels)]


INFO = AttentionInfo(
    name="ECA",
    cls=ECA,
    kind="channel",
    title="each channel's mean looks at its k neighbours",
    paper="1910.03151",
    year=2020,
    positional=("kernel_size",),
    aliases=("ECAAttention", "ECA_Attention", "eca_layer", "ECALayer", "ECABlock", "EfficientChannelAttention"),
    spellings=(((2, 1), {}), ((1, 2), {})),  # γ and b of equation 12, in either order: the formula's own numbers
)


def kernel_by_formula(channels: int) -> int:
    """Returns the paper's kernel for `channels` (equation 12): the whole part of (log2 C + 1) / 2, made odd upwards."""
    nearest = int(abs(math.log2(channels) + 1) / 2)
    return nearest if nearest % 2 else nearest + 1


class BandedChannelGate(nn.Module):
    """ECA's convolution along the channels as a 1×1 convolution whose C×C matrix is banded.

    So the gate never leaves `(N, C, 1, 1)`: pooling, one convolution and a sigmoid are all that is exported. The
    matrix is no parameter: the model keeps the k numbers it learnt.
    """

    weight: torch.Tensor

    def __init__(self, kernel: torch.Tensor, channels: int):
        super().__init__()
        weight = kernel.new_zeros(channels, channels)
        for offset, value in enumerate(kernel.detach(), start=-(len(kernel) // 2)):
            # The diagonal of an offset beyond the matrix has no entries: those taps lie in the zero padding.
            weight.diagonal(offset).fill_(value) if abs(offset) < channels else None
        self.register_buffer("weight", weight[:, :, None, None])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        pooled = nn.functional.adaptive_avg_pool2d(x, 1)
        return nn.functional.conv2d(pooled, self.weight).sigmoid()
