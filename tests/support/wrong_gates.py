"""Operators as people write them, subclasses of Attention: one is right, the others are wrong in one way each."""

from typing import ClassVar

import torch
from torch import nn

from yolo_attn.nn.base import Attention
from yolo_attn.nn.layers import BatchNorm2d


class RightGate(Attention):
    """A subclass of Attention that has no deploy form of its own."""

    gates: ClassVar = ("channel_attention",)

    def __init__(self, channels: int, bias: bool = True):
        super().__init__(channels)
        self.bias = bias
        self.conv = nn.Conv2d(channels, channels, 1, bias=bias)

    def channel_attention(self, x):
        return self.conv(x.mean((2, 3), keepdim=True)).sigmoid()


class NoSigmoid(RightGate):
    """Has a deploy form that leaves something out."""

    def deploy_gates(self):
        return [nn.Sequential(nn.AdaptiveAvgPool2d(1), self.conv)]


class Unfolded(RightGate):
    """Has a deploy form with its batch norm in it."""

    def __init__(self, channels: int, bias: bool = True):
        super().__init__(channels, bias)
        self.norm = BatchNorm2d(channels)

    def channel_attention(self, x):
        return self.conv(self.norm(x).mean((2, 3), keepdim=True)).sigmoid()

    def deploy_gates(self):
        return [nn.Sequential(self.norm, nn.AdaptiveAvgPool2d(1), self.conv, nn.Sigmoid())]


class Shared(RightGate):
    """Gives its own layers away."""

    def deploy(self):
        return nn.Sequential(self.eval())


class Early(RightGate):
    """Counts with the channels before anybody looks at them."""

    def __init__(self, channels: int):
        hidden = channels // 2
        super().__init__(channels)
        self.bias_of = nn.Parameter(torch.zeros(2 * hidden))

    def channel_attention(self, x):
        return super().channel_attention(x) * self.bias_of.sigmoid().view(1, -1, 1, 1).to(x.dtype)


class Unkept(RightGate):
    """Has an option that it does not keep."""

    def __init__(self, channels: int, groups: int = 1):
        super().__init__(channels)


class Adds(RightGate):
    """Names a gate and does something else with it."""

    def forward(self, x):
        return x + x * self.channel_attention(x)
