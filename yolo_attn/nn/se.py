"""SE, squeeze and excitation."""

from typing import ClassVar

import torch
from torch import nn

from yolo_attn.nn.base import Attention, hidden_channels
from yolo_attn.nn.info import AttentionInfo
from yolo_attn.nn.layers import bottleneck
from yolo_attn.ops.reduce import mean


class SE(Attention):
    """A channel gate from average-pooled features: σ(W2 ReLU(W1 avgpool x)).

    Hu et al., "Squeeze-and-Excitation Networks", CVPR 2018, arXiv 1709.01507, equations 2 to 4.

    Start: torch's.

    Args:
        channels: Channels C of the map.
        reduction: Ratio of C to the hidden width.
        bias: The authors' Caffe models have biases in both layers; the paper finds that leaving them out helps ResNets.
    """

    gates: ClassVar = ("channel_attention",)

    def __init__(self, channels: int, reduction: int = 16, bias: bool = True):
        super().__init__(channels)
        self.reduction, self.bias = reduction, bias
        self.mlp = bottleneck(channels, hidden_channels(channels, reduction, "SE"), bias)

    def channel_attention(self, x: torch.Tensor) -> torch.Tensor:
        """`(N, C, H, W)` → `(N, C, 1, 1)`."""
        return self.mlp(mean(x, (2, 3), self.training)).sigmoid()

    def deploy_gates(self) -> list[nn.Module]:
        return [nn.Sequential(nn.AdaptiveAvgPool2d(1), *self.mlp, nn.Sigmoid())]


INFO = AttentionInfo(
    name="SE",
    cls=SE,
    kind="channel",
    title="channel gate from the mean through a two-layer perceptron",
    paper="1709.01507",
    year=2018,
    positional=("reduction",),
    aliases=("SEAttention", "SE_Attention", "SELayer", "SEBlock", "SE_Block", "SqueezeExcitation"),
)
