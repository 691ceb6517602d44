"""Bi-attention, bilinear attention."""

from typing import ClassVar

import torch
from torch import nn

from yolo_attn.nn.base import Attention, hidden_channels
from yolo_attn.nn.info import AttentionInfo
from yolo_attn.nn.shared import capped, conv_norm_relu, fold_all


class BiAttention(Attention):
    """A full-size gate from the products of each pixel's features with one another, weighed by their mean over the map.

    Fang et al., "Bilinear Attention Networks for Person Retrieval", ICCV 2019 (no arXiv), "attention in attention":
    f = φ(x) with m = C/r channels, p the m(m + 1)/2 products f_i f_j (i ≥ j) of each pixel,
    y = x · σ(inner(mean p) · outer(p)), with φ, inner and outer each conv 1×1, BN, ReLU.

    The rows of products follow the authors' code (PengfeiFANGanu/Attention-in-Attention-Networks): diagonal by diagonal
    of the lower triangle. As both factors are ReLU outputs, the gate lies in [½, 1).

    Start: torch's, as in the authors' code.

    Differs from the paper: in fp16, f is capped at 32, so that products stay finite; no normalised feature gets there.

    Args:
        channels: Channels C of the map.
        reduction: r, the ratio of C to m. At C = 512 and r = 16 there are 528 products, at r = 8 there are 2080.
    """

    gates: ClassVar = ("bilinear_attention",)

    def __init__(self, channels: int, reduction: int = 16):
        super().__init__(channels)
        self.reduction = reduction
        self.bilinear_attention = BilinearGate(channels, hidden_channels(channels, reduction, "BiAttention"))

    def deploy_gates(self) -> list[nn.Module]:
        gate = self.bilinear_attention
        gate.reduce, gate.inner, gate.outer = fold_all(gate.reduce), fold_all(gate.inner), fold_all(gate.outer)
        for name, index in gate.named_buffers(recurse=False):
            gate.register_buffer(name, index)  # persistent: torch.export's programs hold no others
        return [gate]


INFO = AttentionInfo(
    name="BiAttention",
    cls=BiAttention,
    kind="channel",
    title="products of a pixel's features, weighed by their mean",
    paper="",
    year=2019,
    positional=("reduction",),
    aliases=("BilinearAttention", "AiA"),
)


class BilinearGate(nn.Module):
    """`(N, C, H, W)` → `(N, C, H, W)`: σ(inner(mean p) · outer(p))."""

    first: torch.Tensor
    second: torch.Tensor

    def __init__(self, channels: int, hidden: int):
        super().__init__()
        pairs = [(row, row - diagonal) for diagonal in range(hidden) for row in range(diagonal, hidden)]
        first, second = torch.tensor(pairs).unbind(1)
        self.register_buffer("first", first, persistent=False)
        self.register_buffer("second", second, persistent=False)
        self.reduce = nn.Sequential(*conv_norm_relu(channels, hidden))
        self.inner = nn.Sequential(*conv_norm_relu(len(pairs), channels))
        self.outer = nn.Sequential(*conv_norm_relu(len(pairs), channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = capped(self.reduce(x))
        products = x.index_select(1, self.first) * x.index_select(1, self.second)
        return (self.inner(nn.functional.adaptive_avg_pool2d(products, 1)) * self.outer(products)).sigmoid()
