"""Non-local block, self-attention over the pixels of a map."""

import copy
from typing import ClassVar

import torch
from torch import nn

from yolo_attn.nn.base import Attention, Deployed, hidden_channels
from yolo_attn.nn.info import AttentionInfo
from yolo_attn.nn.layers import BatchNorm2d, fold, zero_biases
from yolo_attn.nn.shared import at_least_float32


class NonLocal(Attention):
    """To each pixel a mean of all, weighed by likeness, is added: x + BN(W softmax(θ(x)ᵀ φ(x') / √c) g(x')).

    Wang et al., "Non-local Neural Networks", CVPR 2018, arXiv 1711.07971: the embedded Gaussian form, with the scale
    1/√c of the authors' code (facebookresearch/video-nonlocal-net); x' is the map max-pooled 2×2. A residual, no gate:
    `gate` does not apply.

    Start: the authors', weights drawn from N(0, 0.01²), biases 0, and the batch norm's weight 0, so the block starts as
    the identity, exactly; at that first step only the batch norm has a gradient that is not 0.

    Cost: a table of H·W × H·W/4 weights for each image. PyTorch's fused attention does not keep it; an exported graph
    does, and so does training, as the fused gradient is wrong where features are large, and not the same to the last
    bit in every run on CUDA. That is 0.2 MB at 20×20 (P5 of 640 pixels), 41 MB at 80×80, 655 MB at 160×160: put it at
    P5, or train on CUDA with `deterministic=False`, which takes the fused one.

    Differs from the authors' code: an odd row or column at the edge is pooled by itself, where they drop it. So a map
    of one pixel works.

    Args:
        channels: Channels C of the map.
        reduction: Ratio of C to c, the width of θ, φ and g.
    """

    gates: ClassVar = ()
    starts_as_identity: ClassVar = True

    def __init__(self, channels: int, reduction: int = 2):
        super().__init__(channels)
        self.reduction = reduction
        hidden = hidden_channels(channels, reduction, "NonLocal")
        self.theta = nn.Conv2d(channels, hidden, 1)
        self.phi = nn.Conv2d(channels, hidden, 1)
        self.g = nn.Conv2d(channels, hidden, 1)
        self.out = nn.Conv2d(hidden, channels, 1)
        self.norm = BatchNorm2d(channels)
        for conv in (self.theta, self.phi, self.g, self.out):
            nn.init.normal_(conv.weight, std=0.01)
        zero_biases(self)
        nn.init.zeros_(self.norm.weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.norm(self.out(attend(x, self.theta, self.phi, self.g)))

    def deploy(self) -> nn.Module:
        return DeployedNonLocal(copy.deepcopy(self).eval()).eval().requires_grad_(False)


INFO = AttentionInfo(
    name="NonLocal",
    cls=NonLocal,
    kind="spatial",
    title="each pixel adds a weighed mean of all; starts as identity",
    paper="1711.07971",
    year=2018,
    positional=("reduction",),
    aliases=("NonLocalBlock", "SelfAttention", "NonLocalAttention"),
)


class DeployedNonLocal(Deployed):
    """A non-local block for inference: the batch norm folded into the last convolution, 1/√c into the first.

    An exported graph has the two products and the softmax written out: torch's fused attention needs opset 14, and adds
    nodes for its scale.
    """

    def __init__(self, source: NonLocal):
        super().__init__([], source.describe())
        self.theta, self.phi, self.g = source.theta, source.phi, source.g
        self.out = fold(source.out, source.norm)
        with torch.no_grad():
            for value in self.theta.parameters():
                value.mul_(source.theta.out_channels**-0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not torch.onnx.is_in_onnx_export():
            return x + self.out(attend(x, self.theta, self.phi, self.g, scale=1.0, learns=False))
        pooled = nn.functional.max_pool2d(x, 2, ceil_mode=True)
        query, key, value = (y.flatten(2) for y in (self.theta(x), self.phi(pooled), self.g(pooled)))
        attended = (query.transpose(1, 2) @ key).softmax(2) @ value.transpose(1, 2)
        return x + self.out(attended.transpose(1, 2).reshape(x.shape[0], -1, x.shape[2], x.shape[3]))


def attend(
    x: torch.Tensor, theta: nn.Module, phi: nn.Module, g: nn.Module, scale: float | None = None, learns: bool = True
) -> torch.Tensor:
    """Returns softmax(θᵀ φ · scale) g for each pixel, `(N, c, H, W)`; the scale is 1/√c if left out.

    What does not learn takes one way whether gradients are on or not: a traced graph is checked by a second trace.
    """
    pooled = nn.functional.max_pool2d(x, 2, ceil_mode=True)
    query, key, value = (tokens(y) for y in (theta(x), phi(pooled), g(pooled)))
    fused = query.is_cuda and not torch.are_deterministic_algorithms_enabled()
    if fused or not (learns and torch.is_grad_enabled()):
        attended = nn.functional.scaled_dot_product_attention(query, key, value, scale=scale)
    else:
        attended = written_out(query, key, value, scale)
    # Copied: as a view it would lie channels last, and every layer behind it, forwards and backwards, with it.
    return attended.transpose(2, 3).contiguous().view(x.shape[0], -1, x.shape[2], x.shape[3])


def written_out(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, scale: float | None) -> torch.Tensor:
    """Returns softmax(q kᵀ · scale) v with the table of weights kept for the gradient.

    The fused gradient computes the table anew as exp(q kᵀ − log Σ), and where products are large a rounding error of
    theirs is large, too: on a map of numbers around 1e4 its gradients are of 1e18, from 6e4 on they are no numbers.
    Products are in float32 at least, as those of such a map leave fp16.
    """
    scale = q.shape[3] ** -0.5 if scale is None else scale
    with torch.autocast("cuda" if q.is_cuda else "cpu", enabled=False):
        wide = at_least_float32(q)
        weights = (q.to(wide) * scale @ k.to(wide).transpose(2, 3)).softmax(3)
    return weights.to(v.dtype) @ v


def tokens(x: torch.Tensor) -> torch.Tensor:
    """`(N, c, H, W)` → `(N, 1, H · W, c)`, laid out as the fused attention kernels demand: one head, channels last."""
    return x.reshape(x.shape[0], 1, x.shape[1], -1).transpose(2, 3).contiguous()
