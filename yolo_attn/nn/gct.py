"""GCT, the gated channel transformation."""

from typing import ClassVar

import torch
from torch import nn

from yolo_attn.nn.base import Attention
from yolo_attn.nn.info import AttentionInfo
from yolo_attn.nn.shared import at_least_float32, root_sum_square

EPS = 1e-5


class GCT(Attention):
    """A channel gate around 1 in which channels compete or cooperate: 1 + tanh(γ · ê + β), 3C parameters.

    Yang et al., "Gated Channel Transformation for Visual Recognition", CVPR 2020, arXiv 1909.11519:
    e = α · ‖x‖₂ over the map, ê = e / √(mean over channels of e²), with 1e-5 inside both roots as in the authors' code.
    α starts at 1, γ and β at 0, so the operator starts as the identity, exactly; at that first step only γ and β have a
    gradient that is not 0. The paper puts it before every convolution.

    Norms are summed in float32, as Σx² over an 80×80 map leaves fp16 at an x of 3.2, and divided by √(H · W) with 1e-5
    by H · W: the factor cancels in ê, and an exported graph whose sums are turned into fp16 stays finite too.

    Differs from the authors' code: α, γ, β are stored as vectors; of shape (1, C, 1, 1), the optimizer MuSGD would
    orthogonalise them. β is named `beta_bias` because Ultralytics leaves weight decay off by that name, as the paper
    does. So it is one of the optimizer's biases: with an optimizer that is named, its warm-up begins at
    `warmup_bias_lr`, 0.1, as that of every bias of the network. Under SGD that is little; Adam and AdamW take steps of
    that size, and β ends the warm-up between −2 and 2. `warmup_bias_lr=0`, as `optimizer=auto` has it, avoids that.

    The Gaussian Context Transformer, which some YOLO forks call GCT, is another operator.

    Args:
        channels: Channels C of the map.
        l1: True takes the l1 norm: e = α · Σ|x|, ê = e / (mean over channels of |e| + 1e-5).
    """

    gates: ClassVar = ("channel_attention",)
    starts_as_identity: ClassVar = True

    def __init__(self, channels: int, l1: bool = False):
        super().__init__(channels)
        self.l1 = l1
        self.channel_attention = ChannelTransformation(channels, l1)

    def deploy_gates(self) -> list[nn.Module]:
        return [self.channel_attention]


INFO = AttentionInfo(
    name="GCT",
    cls=GCT,
    kind="channel",
    title="channels compete by their norms; starts as identity",
    paper="1909.11519",
    year=2020,
    positional=(),
    aliases=("GatedChannelTransform", "GatedChannelTransformation"),
)


class ChannelTransformation(nn.Module):
    """`(N, C, H, W)` → `(N, C, 1, 1)`: 1 + tanh(γ · ê + β)."""

    def __init__(self, channels: int, l1: bool):
        super().__init__()
        self.l1 = l1
        self.alpha = nn.Parameter(torch.ones(channels))
        self.gamma = nn.Parameter(torch.zeros(channels))
        self.beta_bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        alpha, gamma, beta = (p.view(-1, 1, 1) for p in (self.alpha, self.gamma, self.beta_bias))
        pixels = x.shape[2] * x.shape[3]
        eps = EPS / pixels
        if self.l1:
            embedding = alpha * x.abs().mean((2, 3), keepdim=True, dtype=at_least_float32(x))
            normalised = embedding / (embedding.abs().mean(1, keepdim=True) + eps)
        else:
            embedding = alpha * ((root_sum_square(x, (2, 3), self.training) * pixels**-0.5).square() + eps).sqrt()
            normalised = embedding / (embedding.square().mean(1, keepdim=True) + eps).sqrt()
        return (1 + (gamma * normalised + beta).tanh()).to(x.dtype)
