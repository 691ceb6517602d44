"""NAM, normalization-based attention."""

from typing import ClassVar

import torch
from torch import nn

from yolo_attn.nn.base import Attention
from yolo_attn.nn.info import AttentionInfo
from yolo_attn.nn.layers import BatchNorm2d
from yolo_attn.nn.shared import affine


class NAM(Attention):
    """A gate from a batch norm, each channel weighed by its share of the norm's scales: σ(|γ| / Σ|γ| · BN(x)).

    Liu et al., "NAM: Normalization-based Attention Module", NeurIPS workshop 2021, arXiv 2111.12419, equations 1 and 2,
    the channel part. State dicts of the authors' code (Christian-lyc/NAM) load.

    Differs from the authors' code: it cuts the gradient through the weights. Differs from the paper: its pixel part is
    left out, as the authors' code has none; and so is the penalty on the scales in the loss (equation 4), which is a
    matter of training.

    Start: a batch norm's, so each gate is close to ½.

    Args:
        channels: Channels C of the map.
    """

    gates: ClassVar = ("weighed_norm",)
    renamed: ClassVar = {"Channel_Att.bn2.": "norm.", "bn2.": "norm."}

    def __init__(self, channels: int):
        super().__init__(channels)
        self.norm = BatchNorm2d(channels)

    def weighed_norm(self, x: torch.Tensor) -> torch.Tensor:
        """`(N, C, H, W)` → `(N, C, H, W)`."""
        return (self.norm(x) * self.weights().to(x.dtype)).sigmoid()

    def weights(self) -> torch.Tensor:
        """Returns each channel's share of the scales, `(C, 1, 1)`."""
        scales = self.norm.weight.abs()
        return (scales / scales.sum()).view(-1, 1, 1)

    def deploy_gates(self) -> list[nn.Module]:
        scale, shift = affine(self.norm)
        weights = self.weights().flatten()
        return [AffineGate(scale * weights, shift * weights)]


INFO = AttentionInfo(
    name="NAM",
    cls=NAM,
    kind="channel",
    title="a batch norm, its channels weighed by their scales",
    paper="2111.12419",
    year=2021,
    positional=(),
    aliases=("NAMAttention", "NAM_Attention", "NAMBlock"),
    spellings=(((16,), {}),),  # the authors' t, which their code does not read
)


class AffineGate(nn.Module):
    """NAM for inference, the batch norm and the weights folded: σ(a · x + b)."""

    a: torch.Tensor
    b: torch.Tensor

    def __init__(self, a: torch.Tensor, b: torch.Tensor):
        super().__init__()
        for name, value in (("a", a), ("b", b)):
            self.register_buffer(name, value.detach().view(-1, 1, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x * self.a + self.b).sigmoid()
