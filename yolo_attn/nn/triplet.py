"""Triplet attention."""

from collections import OrderedDict
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import nn

from yolo_attn.errors import AttentionError
from yolo_attn.nn.base import Attention
from yolo_attn.nn.info import AttentionInfo
from yolo_attn.nn.layers import BatchNorm2d, draw_by_fan_out, fold, wide
from yolo_attn.ops.choice import kernels
from yolo_attn.ops.reduce import mean_and_max


class TripletAttention(Attention):
    """The mean of three gates, for (C, W), (H, C) and (H, W), each from max and mean over the dimension left out.

    Misra et al., "Rotate to Attend: Convolutional Triplet Attention Module", WACV 2021, arXiv 2010.03045: the map
    is rotated, gated by σ(BN(conv k×k [max; mean over the first dimension])) and rotated back; the mean of three such.
    Parameter names follow the authors' code (landskape-ai/triplet-attention), whose state dicts load, those of its
    older file too, where the gates are ChannelGateH, ChannelGateW and SpatialGate.

    Start: as the authors' ResNet starts that older file, convolutions drawn by their fan-out, the (H, W) gate's batch
    norm with weight 0, so that gate is ½ at first. With `start: identity` that weight is 1: a gate that is 1 by its
    share already need not be constant too.

    The same function with the rotation left out: reducing the map over H and laying the small `(N, 2, C, W)` result
    before the convolution equals rotating the map, reducing it over its first dimension and rotating it back. As the
    mean of three gated copies is one copy gated by the mean, the map is multiplied once.

    Args:
        channels: Channels C of the map; no parameter depends on it.
        kernel_size: k, odd. The authors publish models for 7 and 3.
        spatial: False leaves the (H, W) gate out and takes the mean of two, the authors' `no_spatial`.
    """

    gates: ClassVar = ("triplet_attention",)
    renamed: ClassVar = {
        "ChannelGateH.spatial.": "cw.conv.",
        "ChannelGateW.spatial.": "hc.conv.",
        "SpatialGate.spatial.": "hw.conv.",
    }

    def __init__(self, channels: int, kernel_size: int = 7, spatial: bool = True):
        super().__init__(channels)
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise AttentionError(
                f"TripletAttention needs an odd kernel_size, got {kernel_size}; set {{kernel_size: 7}}"
            )
        self.kernel_size, self.spatial = kernel_size, spatial
        self.cw = PlaneGate(2, kernel_size)
        self.hc = PlaneGate(3, kernel_size)
        if spatial:
            self.hw = PlaneGate(1, kernel_size)
            nn.init.zeros_(self.hw.conv.bn.weight)  # type: ignore[union-attr,arg-type]
        draw_by_fan_out(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not kernels("TripletAttention", x, self.training):
            return super().forward(x)
        from yolo_attn.ops.triton.triplet import triplet

        return triplet(x, self.shared_gates)

    def shared_gates(self, statistics: list[tuple[torch.Tensor, torch.Tensor]]) -> list[torch.Tensor]:
        """Returns three gates whose sum is the blended mean, from mean and max over dimensions 1, 2 and 3."""
        (share,) = self.shares()
        planes = {plane.dim: plane for plane in self.planes()}
        part = 1 / len(planes) if share is None else share / len(planes)
        gates = [planes[dim].excite(*statistics[dim - 1]) * part for dim in sorted(planes)]
        if not self.spatial:
            gates.insert(0, torch.zeros_like(statistics[0][0]))
        return gates if share is None else [gates[0] + (1 - share), *gates[1:]]

    def triplet_attention(self, x: torch.Tensor) -> torch.Tensor:
        """`(N, C, H, W)` → `(N, C, H, W)`."""
        return mean_of(self.planes(), x)

    def planes(self) -> list["PlaneGate"]:
        """Returns the three gates, or two."""
        return [self.cw, self.hc, *([self.hw] if self.spatial else [])]

    def start_as_identity(self) -> None:
        super().start_as_identity()
        if self.spatial:
            nn.init.ones_(self.hw.conv.bn.weight)  # type: ignore[union-attr,arg-type]

    def deploy_gates(self) -> list[nn.Module]:
        return [MeanGate([plane.fold() for plane in self.planes()])]


INFO = AttentionInfo(
    name="TripletAttention",
    cls=TripletAttention,
    kind="channel and spatial",
    title="mean of three gates, over (C, W), (H, C) and (H, W)",
    paper="2010.03045",
    year=2021,
    positional=("kernel_size",),
    aliases=("Triplet", "TAM", "TripletAtt"),
    spellings=(((False,), {"spatial": True}), ((True,), {"spatial": False})),  # the authors' no_spatial
)


class PlaneGate(nn.Module):
    """`(N, C, H, W)` → the same with dimension `dim` of length 1: σ(BN(conv([max; mean] over `dim`)))."""

    def __init__(self, dim: int, kernel_size: int):
        super().__init__()
        self.dim = dim
        conv = nn.Conv2d(2, 1, kernel_size, padding=kernel_size // 2, bias=False)
        self.conv: nn.Module = nn.Sequential(OrderedDict(conv=conv, bn=BatchNorm2d(1, momentum=0.01)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.excite(*mean_and_max(x, (self.dim,), self.training))

    def excite(self, mean: torch.Tensor, maximum: torch.Tensor) -> torch.Tensor:
        """Returns the gate from both statistics, with dimension `dim` of length 1."""
        # Small, a line for a whole dimension; swapped with the channels they lie as after the paper's rotation.
        pooled = torch.cat([line.transpose(1, self.dim) for line in (maximum, mean)], 1)
        return wide(self.conv, pooled).sigmoid().transpose(1, self.dim)

    def fold(self) -> "PlaneGate":
        """Folds the batch norm into the convolution, in place."""
        self.conv = fold(*self.conv.children())
        return self


class MeanGate(nn.Module):
    """Triplet attention for inference: the mean of its folded gates."""

    def __init__(self, planes: Sequence[nn.Module]):
        super().__init__()
        self.planes = nn.ModuleList(planes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return mean_of(list(self.planes), x)


def mean_of(planes: Sequence[nn.Module], x: torch.Tensor) -> torch.Tensor:
    """Returns the mean of the gates `planes` at `x`, broadcast against one another."""
    shares = [plane(x) / len(planes) for plane in planes]  # divided while small, not at the map's full size
    return sum(shares[1:], shares[0])
