"""SK, the selective kernel unit."""

import math
from typing import Any

import torch
from torch import nn

from yolo_attn.errors import AttentionError
from yolo_attn.nn.base import Transform, moved
from yolo_attn.nn.info import AttentionInfo
from yolo_attn.nn.layers import BatchNorm2d, ReLU
from yolo_attn.nn.shared import fold_all
from yolo_attn.ops.reduce import mean


class SK(Transform):
    """Branches with kernels of different size, among which each channel chooses by the image: branch attention.

    Li et al., "Selective Kernel Networks", CVPR 2019, arXiv 1903.06586, equations 1 to 6. Each branch is a grouped
    convolution 3×3, dilated by 1, 2, … (so of 3×3, 5×5, … pixels), a batch norm and a ReLU. Their sum is averaged over
    the map and squeezed to d = max(C / r, 32) numbers; a softmax over the branches, for each channel, weighs them.
    Parameter names follow the form in circulation (pppLang/SKNet), whose state dicts load.

    The result is made of the branches and not of x, so this is no gate; after an identity start it is
    x + a · (f(x) − x).

    Start: torch's, as in that code; the authors' own is Caffe's.

    Args:
        channels: Channels C of the map.
        branches: Number of branches M.
        groups: Groups G of the branches' convolutions, which divide C; the paper's 32, or the most that do.
        reduction: r, the ratio of C to d.
        hidden: The least d there is, L.
    """

    def __init__(
        self, channels: int, branches: int = 2, groups: int | None = None, reduction: int = 16, hidden: int = 32
    ):
        super().__init__(channels)
        groups = math.gcd(channels, 32) if groups is None else groups
        if branches < 2:
            raise AttentionError(f"SK chooses among branches, and {branches} is no choice; set {{branches: 2}}")
        if groups < 1 or channels % groups:
            mend = f"set {{groups: {math.gcd(channels, 32)}}}"
            raise AttentionError(f"SK cannot cut {channels} channels into {groups} groups; {mend}")
        if reduction < 1 or hidden < 1:
            raise AttentionError("SK needs reduction and hidden from 1 on; set {reduction: 16, hidden: 32}")
        self.branches, self.groups, self.reduction, self.hidden = branches, groups, reduction, hidden
        squeezed = max(channels // reduction, hidden)
        self.convs = nn.ModuleList(branch(channels, groups, dilation) for dilation in range(1, branches + 1))
        self.fc = nn.Sequential(nn.Conv2d(channels, squeezed, 1, bias=False), BatchNorm2d(squeezed), ReLU())
        self.fcs = nn.ModuleList(nn.Conv2d(squeezed, channels, 1) for _ in range(branches))

    def transform(self, x: torch.Tensor) -> torch.Tensor:
        maps = [conv(x) for conv in self.convs]
        means = [mean(one, (2, 3), self.training) for one in maps]  # of each, as a sum of maps may leave fp16's numbers
        squeezed = self.fc(sum(means[1:], means[0]))
        return select(maps, torch.stack([fc(squeezed) for fc in self.fcs], 1))

    def deploy_transform(self) -> nn.Module:
        return SelectiveKernel(self)


INFO = AttentionInfo(
    name="SK",
    cls=SK,
    kind="branch",
    title="kernels of different size, chosen among by the image",
    paper="1903.06586",
    year=2019,
    positional=(),
    aliases=("SKAttention", "SKLayer", "SKNet", "SelectiveKernel"),
)


def branch(channels: int, groups: int, dilation: int) -> nn.Sequential:
    """Returns a branch: a convolution 3×3, a batch norm, a ReLU."""
    conv = nn.Conv2d(channels, channels, 3, padding=dilation, dilation=dilation, groups=groups, bias=False)
    return nn.Sequential(conv, BatchNorm2d(channels), ReLU())


def select(maps: list[torch.Tensor], logits: torch.Tensor) -> torch.Tensor:
    """Returns the sum of `maps`, each weighed by the softmax over the branches of `logits`, `(N, M, C, 1, 1)`."""
    weights = logits.softmax(1).unbind(1)
    chosen = maps[0] * weights[0]
    for one, weight in zip(maps[1:], weights[1:], strict=True):
        chosen = chosen + one * weight
    return chosen


class SelectiveKernel(nn.Module):
    """SK for inference: batch norms folded, and one convolution for all logits.

    Of two numbers the softmax is the sigmoid of their difference, so that two branches need half of them.
    """

    def __init__(self, source: SK):
        super().__init__()
        self.convs = nn.ModuleList(fold_all(conv) for conv in source.convs)  # type: ignore[arg-type]
        self.fc = fold_all(source.fc)
        self.channels = source.channels
        fcs: Any = source.fcs
        weights, biases = [fc.weight.detach() for fc in fcs], [fc.bias.detach() for fc in fcs]
        if len(fcs) == 2:
            weights, biases = [weights[0] - weights[1]], [biases[0] - biases[1]]
        self.fcs = nn.Conv2d(fcs[0].in_channels, len(weights) * self.channels, 1)
        self.fcs.weight, self.fcs.bias = nn.Parameter(torch.cat(weights)), nn.Parameter(torch.cat(biases))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        maps = [conv(x) for conv in self.convs]
        logits = self.fcs(self.fc(sum(maps[1:], maps[0]).mean((2, 3), keepdim=True)))
        if len(maps) == 2:
            return moved(maps[1], maps[0], logits.sigmoid())
        return select(maps, logits.reshape(-1, len(maps), self.channels, 1, 1))
