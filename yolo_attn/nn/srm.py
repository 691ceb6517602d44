"""SRM, the style-based recalibration module."""

from typing import ClassVar

import torch
from torch import nn

from yolo_attn.nn.base import Attention
from yolo_attn.nn.info import AttentionInfo
from yolo_attn.nn.layers import BatchNorm2d
from yolo_attn.nn.shared import affine, root_sum_square
from yolo_attn.ops.reduce import mean

EPS = 1e-5


class SRM(Attention):
    """A channel gate from each channel's mean and standard deviation, its "style": σ(BN(w₁ · mean + w₂ · std)).

    Lee, Kim, Nam, "SRM: A Style-based Recalibration Module for Convolutional Neural Networks", ICCV 2019,
    arXiv 1903.10829. No channel looks at another: 4C parameters. std = √(unbiased variance + 1e-5),
    w starts at 0, so the gate starts at ½ everywhere; both as in the authors' code.

    A map of one pixel has no spread: its variance counts as 0, where the unbiased estimate would be 0/0.

    Differs from the authors' code: their weight `cfc` of shape (C, 2) is stored as two vectors. As a matrix, the
    optimizer MuSGD would orthogonalise it. The names hold "bias" because Ultralytics leaves weight decay off by that
    name, and the authors train these weights without. So they are among the optimizer's biases: with an optimizer that
    is named, their warm-up begins at `warmup_bias_lr`, 0.1. The batch norm behind takes out how large they become.

    Args:
        channels: Channels C of the map.
    """

    gates: ClassVar = ("style_attention",)

    def __init__(self, channels: int):
        super().__init__(channels)
        self.cfc_bias_mean = nn.Parameter(torch.zeros(channels))
        self.cfc_bias_std = nn.Parameter(torch.zeros(channels))
        self.norm = BatchNorm2d(channels)

    def style_attention(self, x: torch.Tensor) -> torch.Tensor:
        """`(N, C, H, W)` → `(N, C, 1, 1)`."""
        average, std = style(x, self.training)
        weighed = average * self.cfc_bias_mean.view(-1, 1, 1) + std * self.cfc_bias_std.view(-1, 1, 1)
        return self.norm(weighed.to(x.dtype)).sigmoid()

    def deploy_gates(self) -> list[nn.Module]:
        scale, shift = affine(self.norm)
        return [StyleGate(scale * self.cfc_bias_mean, scale * self.cfc_bias_std, shift)]


INFO = AttentionInfo(
    name="SRM",
    cls=SRM,
    kind="channel",
    title="each channel's mean and deviation, its style",
    paper="1903.10829",
    year=2019,
    positional=(),
    aliases=("SRMLayer", "SRMAttention"),
)


class StyleGate(nn.Module):
    """SRM for inference, the batch norm folded: σ(a · mean + b · std + c)."""

    a: torch.Tensor
    b: torch.Tensor
    c: torch.Tensor

    def __init__(self, a: torch.Tensor, b: torch.Tensor, c: torch.Tensor):
        super().__init__()
        for name, value in (("a", a), ("b", b), ("c", c)):
            self.register_buffer(name, value.detach().view(-1, 1, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        average, std = style(x, self.training)
        return (average * self.a + std * self.b + self.c).sigmoid().to(x.dtype)


def style(x: torch.Tensor, training: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """Returns mean and standard deviation of each channel, both `(N, C, 1, 1)`; the latter in float32 at least."""
    average = mean(x, (2, 3), True) if training else nn.functional.adaptive_avg_pool2d(x, 1)
    # Deviations sum to 0, so nothing reaches x through the mean they are taken from.
    centre = average.detach() if training else average
    pixels = x.shape[2] * x.shape[3]
    # 1e-30 vanishes beside any count but 0: a single pixel gives 0 · 1e15. Divided before it is squared, for fp16.
    std = root_sum_square(x - centre, (2, 3), training) * (pixels - 1 + 1e-30) ** -0.5
    return average, (std.square() + EPS).sqrt()
