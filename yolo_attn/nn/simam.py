"""SimAM, attention without parameters."""

from typing import ClassVar

import torch
from torch import nn

from yolo_attn.errors import AttentionError
from yolo_attn.nn.base import Attention
from yolo_attn.nn.info import AttentionInfo
from yolo_attn.nn.shared import root_sum_square
from yolo_attn.ops.reduce import mean


class SimAM(Attention):
    """A gate for each value by how far it stands out of its channel, without a parameter: σ(d / (4 (s² + λ)) + ½).

    Yang et al., "SimAM: A Simple, Parameter-Free Attention Module for Convolutional Neural Networks", ICML 2021,
    equations 5 and 6: d = (x − mean)² and s² = Σd / (H·W − 1) of a channel's values, the inverse of the energy by which
    a value is told from the others. As in the authors' code (ZjjConan/SimAM).

    A map of one pixel has no spread: its variance counts as 0, where the formula has 0/0, and its gate is σ(½).

    Args:
        channels: Channels C of the map; their number changes nothing.
        e_lambda: λ, which keeps the energy finite on flat maps.
    """

    gates: ClassVar = ("energy",)

    def __init__(self, channels: int, e_lambda: float = 1e-4):
        super().__init__(channels)
        if not e_lambda > 0:
            raise AttentionError(f"SimAM needs e_lambda above 0, got {e_lambda}; set {{e_lambda: 0.0001}}")
        self.e_lambda = e_lambda

    def energy(self, x: torch.Tensor) -> torch.Tensor:
        """`(N, C, H, W)` → `(N, C, H, W)`."""
        return energy(x, self.e_lambda, self.training)

    def deploy_gates(self) -> list[nn.Module]:
        return [EnergyGate(self.e_lambda)]


INFO = AttentionInfo(
    name="SimAM",
    cls=SimAM,
    kind="channel and spatial",
    title="how far each value stands out of its channel; no parameters",
    paper="",
    year=2021,
    positional=(),
    aliases=("simam_module", "SimAMAttention", "SimAMBlock", "SimAMModule"),
    spellings=(((1e-4,), {}), (("1e-4",), {})),  # a number to PyYAML only with a point in it
)


class EnergyGate(nn.Module):
    """SimAM for inference: it has nothing to fold."""

    def __init__(self, e_lambda: float):
        super().__init__()
        self.e_lambda = e_lambda

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return energy(x, self.e_lambda, self.training)


def energy(x: torch.Tensor, e_lambda: float, training: bool) -> torch.Tensor:
    """Returns SimAM's gate. Deviations are divided before they are squared, for fp16."""
    centred = x - mean(x, (2, 3), training)
    pixels = x.shape[2] * x.shape[3]
    # 1e-30 vanishes beside any count but 0: a single pixel gives 0 · 1e15.
    spread = root_sum_square(centred, (2, 3), training) * (pixels - 1 + 1e-30) ** -0.5
    return ((centred * (spread.square() + e_lambda).rsqrt().to(x.dtype) * 0.5).square() + 0.5).sigmoid()
