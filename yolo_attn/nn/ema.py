"""EMA, efficient multi-scale attention."""

import math
from typing import ClassVar, NamedTuple

import torch
from torch import nn

from yolo_attn.errors import AttentionError
from yolo_attn.nn.base import Attention
from yolo_attn.nn.info import AttentionInfo
from yolo_attn.ops.reduce import mean, outer


class EMA(Attention):
    """One gate per pixel and group of channels, from two branches that weigh each other's channels.

    Ouyang et al., "Efficient Multi-Scale Attention Module with Cross-Spatial Learning", ICASSP 2023, arXiv 2305.13563,
    section 2. The channels are cut into groups, which share all weights. In each group one branch gates the map by its
    rows and columns, as coordinate attention does, and normalises it (GN); the other convolves it, 3×3. The gate is
    σ(softmax(avgpool of the one) · the other + softmax(avgpool of the other) · the one), softmax and product over the
    group's channels. Parameter names follow the authors' code (YOLOonMe/EMA-attention-module), whose state dicts load.

    The group norm has one group per channel, so the average of what it gives is its bias, whatever comes in; here the
    first softmax is computed as what it equals, of the bias.

    Start: torch's, as in the authors' code.

    Args:
        channels: Channels C of the map.
        groups: Number of groups G, which divides C: the authors' factor, 32, or the most that does.
    """

    gates: ClassVar = ("cross_spatial_attention",)

    def __init__(self, channels: int, groups: int | None = None):
        super().__init__(channels)
        groups = math.gcd(channels, 32) if groups is None else groups
        if groups < 1 or channels % groups:
            raise AttentionError(
                f"EMA cannot cut {channels} channels into {groups} groups; set {{groups: {math.gcd(channels, 32)}}}"
            )
        self.groups = groups
        width = channels // groups
        self.gn = nn.GroupNorm(width, width)
        self.conv1x1 = nn.Conv2d(width, width, 1)
        self.conv3x3 = nn.Conv2d(width, width, 3, padding=1)

    def cross_spatial_attention(self, x: torch.Tensor) -> torch.Tensor:
        """`(N, C, H, W)` → `(N, C, H, W)`, the same for all channels of a group."""
        return cross_spatial(x, self.weights(), self.channels, self.groups, self.training)

    def weights(self) -> "Weights":
        """Returns what all groups share, written out for each of them."""
        one, three = self.conv1x1, self.conv3x3
        shared = (one.weight, one.bias, three.weight, three.bias, self.gn.weight, self.gn.bias, self.gn.bias.softmax(0))
        weights = [value.repeat(self.groups, *[1] * (value.ndim - 1)) for value in shared]  # type: ignore[union-attr]
        ones = one.weight.new_ones(self.channels, one.in_channels, 1, 1)
        return Weights._make([*weights[:-1], weights[-1].view(-1, 1, 1), ones])

    def deploy_gates(self) -> list[nn.Module]:
        return [CrossSpatialGate(self.weights(), self.channels, self.groups)]


INFO = AttentionInfo(
    name="EMA",
    cls=EMA,
    kind="channel and spatial",
    title="two branches in groups of channels weigh each other",
    paper="2305.13563",
    year=2023,
    positional=("groups",),
    aliases=("EMA_attention", "EMAttention", "EMAAttention", "EfficientMultiScaleAttention"),
)


class Weights(NamedTuple):
    """EMA's numbers for each of its groups: both convolutions, the norm's affine part, the first branch's softmax, and
    a kernel of ones, which gives each channel the sum over its group; a view would cost a copy of the map.
    """

    one: torch.Tensor
    one_bias: torch.Tensor
    three: torch.Tensor
    three_bias: torch.Tensor
    scale: torch.Tensor
    shift: torch.Tensor
    first: torch.Tensor
    ones: torch.Tensor


def cross_spatial(x: torch.Tensor, weights: Weights, channels: int, groups: int, training: bool) -> torch.Tensor:
    """Returns EMA's gate, `(N, C, H, W)`; no group is laid out by itself."""
    conv = nn.functional.conv2d
    rows, columns = (
        conv(mean(x, (axis,), training), weights.one, weights.one_bias, groups=groups).sigmoid() for axis in (3, 2)
    )
    gated = x * outer(rows, columns, training)
    normed = torch.group_norm(gated, channels, weights.scale, weights.shift).to(x.dtype)
    convolved = conv(x, weights.three, weights.three_bias, padding=1, groups=groups)
    second = mean(convolved, (2, 3), training).reshape(-1, channels // groups).softmax(1).reshape(-1, channels, 1, 1)
    weighed = convolved * weights.first.to(x.dtype) + normed * second
    return conv(weighed, weights.ones.to(weighed.dtype), groups=groups).sigmoid()


class CrossSpatialGate(nn.Module):
    """EMA for inference."""

    def __init__(self, weights: Weights, channels: int, groups: int):
        super().__init__()
        self.channels, self.groups = channels, groups
        for name, value in weights._asdict().items():
            self.register_buffer(name, value.detach())

    def __setstate__(self, state: dict) -> None:
        """Reads a pickle from before `channels`."""
        super().__setstate__(state)
        self.channels = state["_buffers"]["ones"].shape[0]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weights = Weights._make(getattr(self, name) for name in Weights._fields)
        return cross_spatial(x, weights, self.channels, self.groups, self.training)
