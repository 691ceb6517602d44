"""ShuffleAttention, SA-Net's unit."""

import math

import torch
from torch import nn

from yolo_attn.errors import AttentionError
from yolo_attn.nn.base import Transform
from yolo_attn.nn.info import AttentionInfo
from yolo_attn.nn.layers import PickChannels, ShuffleChannels
from yolo_attn.nn.shared import root_sum_square
from yolo_attn.ops.reduce import mean

Vectors = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


class ShuffleAttention(Transform):
    """Half of the channels gated by their mean, half by their own pixels, in groups; then the channels are shuffled.

    Zhang, Yang, "SA-Net: Shuffle Attention for Deep Convolutional Neural Networks", ICASSP 2021, arXiv 2102.00240,
    equations 1 to 5. In each group of channels the first half is gated by σ(W₁ avgpool x + b₁), the second by σ(W₂
    GN(x) + b₂), with one number per channel, the same in all groups; a channel shuffle with 2 groups follows. Parameter
    names follow the authors' code (wofmanaf/SA-Net), whose state dicts load.

    The shuffle moves channels, so this is no gate; after an identity start it is x + a · (f(x) − x).

    Start: the authors', W = 0 and b = 1, so every value is multiplied by σ(1) = 0.73.

    Differs from the authors' code: the weights of shape (1, c, 1, 1) are vectors, as the optimizer MuSGD would
    orthogonalise the others; 8 groups by default, as a YOLO's maps are narrower than a ResNet's, where the paper has
    64.

    Args:
        channels: Channels C of the map, a multiple of twice the groups.
        groups: Number of groups G. Left out, it is 8, or the most of 4, 2 and 1 whose double divides C.
    """

    def __init__(self, channels: int, groups: int | None = None):
        super().__init__(channels)
        groups = max(math.gcd(channels, 16) // 2, 1) if groups is None else groups
        if groups < 1 or channels % (2 * groups):
            fitting = math.gcd(channels, 16) // 2
            mend = f"set {{groups: {fitting}}}" if fitting else "it takes an even number; set {groups: 1} on one"
            raise AttentionError(f"ShuffleAttention cannot halve {channels} channels in {groups} groups; {mend}")
        self.groups = groups
        width = channels // (2 * groups)
        self.cweight, self.cbias = nn.Parameter(torch.zeros(width)), nn.Parameter(torch.ones(width))
        self.sweight, self.sbias = nn.Parameter(torch.zeros(width)), nn.Parameter(torch.ones(width))
        self.gn = nn.GroupNorm(width, width)
        self.shuffle = ShuffleChannels(2)

    def transform(self, x: torch.Tensor) -> torch.Tensor:
        return self.shuffle(x * halves(x, self.vectors(), self.gn.eps, self.training))

    def vectors(self) -> Vectors:
        """Returns what multiplies a channel's normalised pixels, what its mean, and what is added, `(C, 1, 1)` each."""
        none = torch.zeros_like(self.cweight)
        halves = (
            (none, self.sweight * self.gn.weight),
            (self.cweight, none),
            (self.cbias, self.sweight * self.gn.bias + self.sbias),
        )
        pixels, means, shift = (torch.cat(half).repeat(self.groups).view(-1, 1, 1) for half in halves)
        return pixels, means, shift

    def deploy_transform(self) -> nn.Module:
        return ShuffledGate(self.vectors(), self.gn.eps, PickChannels.shuffled(self.channels, 2))


INFO = AttentionInfo(
    name="ShuffleAttention",
    cls=ShuffleAttention,
    kind="channel and spatial",
    title="half of the channels by their mean, half by their pixels; shuffled",
    paper="2102.00240",
    year=2021,
    positional=("groups",),
    aliases=("sa_layer", "SANet", "SAModule", "ShuffleAttn", "ShuffleAtt"),
    spellings=(((16, 8), {"groups": 8}),),  # a copy has a reduction in front, which it does not read
)


class ShuffledGate(nn.Module):
    """ShuffleAttention for inference: the shuffle is one lookup."""

    pixels: torch.Tensor
    means: torch.Tensor
    shift: torch.Tensor

    def __init__(self, vectors: Vectors, eps: float, pick: nn.Module):
        super().__init__()
        for name, value in zip(("pixels", "means", "shift"), vectors, strict=True):
            self.register_buffer(name, value.detach())
        self.eps, self.pick = eps, pick

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.pick(x * halves(x, (self.pixels, self.means, self.shift), self.eps, self.training))


def halves(x: torch.Tensor, vectors: Vectors, eps: float, training: bool) -> torch.Tensor:
    """Returns σ(pixels · (x − mean) / deviation + means · mean + shift): both halves in one formula, by zeros."""
    pixels, means, shift = vectors
    average = mean(x, (2, 3), training)
    centred = x - average
    count = x.shape[2] * x.shape[3]
    deviation = (root_sum_square(centred, (2, 3), training).square() / count + eps).rsqrt()
    return (centred * (pixels * deviation).to(x.dtype) + (average * means + shift).to(x.dtype)).sigmoid()
