"""A trained 7×7 convolution as a 7×1 to R channels and a 1×7 from them, fitted to what the convolution meets.

Jaderberg, Vedaldi, Zisserman, "Speeding up Convolutional Neural Networks with Low Rank Expansions", 2014, arXiv
1405.3866, scheme 2: the kernel W[o, c, u, v] as a matrix of (c, u) by (o, v), cut at its R largest singular values.
Here the matrix is weighted by the inputs: cut are the directions in which the *responses* to the data vary least, as in
Zhang, Zou, He, Sun, "Accelerating Very Deep Convolutional Networks for Classification and Detection", 2015, arXiv
1505.06798.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional

SHRINKAGE = 1e-3  # how much of the mean variance every direction has at least: few images do not span all of them


class Factors(NamedTuple):
    """A convolution's two factors, the most important channel between them first.

    `column` is `(K, C, k, 1)`, `row` `(O, K, 1, k)`. All K channels make the whole convolution, the first R the best
    that R can.
    """

    column: torch.Tensor
    row: torch.Tensor


class Inputs:
    """Mean and covariance of the columns that a convolution meets: k pixels above each other, of all C channels."""

    def __init__(self, conv: nn.Conv2d):
        self.height, self.padding = conv.kernel_size[0], int(conv.padding[0])
        size = conv.in_channels * self.height
        self.count, self.total = 0, torch.zeros(size, dtype=torch.float64)
        self.squares = torch.zeros(size, size, dtype=torch.float64)
        self.about: torch.Tensor | None = None

    def see(self, x: torch.Tensor) -> None:
        """Takes in the convolution's input, `(N, C, H, W)`."""
        for image in x.float().split(1):  # unfolded, it is k times as large
            columns = functional.unfold(image, (self.height, 1), padding=(self.padding, 0))[0]
            if self.about is None:  # sums about some mean: a spread that is small beside it would drown in float32
                self.about = columns.mean(1, keepdim=True)
            columns = columns - self.about
            self.squares += (columns @ columns.T).cpu().double()
            self.total += columns.sum(1).cpu().double()
            self.count += columns.shape[1]

    def covariance(self) -> torch.Tensor:
        """Returns the covariance, `(C · k, C · k)`; the mean is the bias' business."""
        mean = self.total / max(self.count, 1)
        return self.squares / max(self.count, 1) - mean.outer(mean)


def factors(conv: nn.Conv2d, covariance: torch.Tensor | None = None) -> Factors:
    """Returns a convolution's factors, in float64.

    Args:
        conv: The convolution, of one group.
        covariance: That of its inputs' columns, as of `Inputs`; without it all inputs count alike.
    """
    to, channels, height, width = conv.weight.shape
    matrix = conv.weight.detach().cpu().double().permute(1, 2, 0, 3).reshape(channels * height, to * width)
    weighted = matrix
    if covariance is not None:
        weighted = root(covariance).T @ matrix
    directions = torch.linalg.svd(weighted, full_matrices=False).Vh
    column, row = (matrix @ directions.T).T, directions
    size = (
        column.norm(dim=1, keepdim=True).clamp(min=1e-12).sqrt()
    )  # alike, as training moves factors of one size alike
    column, row = column / size, row * size
    return Factors(
        column.reshape(-1, channels, height, 1), row.reshape(-1, to, width).permute(1, 0, 2).unsqueeze(2).contiguous()
    )


def root(covariance: torch.Tensor) -> torch.Tensor:
    """Returns the lower triangle whose product with its own transpose is the covariance, every direction in it."""
    least = SHRINKAGE * float(covariance.diagonal().mean()) + 1e-12
    while True:
        found, failed = torch.linalg.cholesky_ex(covariance + least * torch.eye(len(covariance), dtype=torch.float64))
        if not failed:
            return found
        least *= 10  # rounded, a covariance may have variances below zero


@dataclass
class Fit:
    """How well R channels do: the mean square error over the responses' variance, and what the bias is moved by."""

    error: float
    shift: torch.Tensor


class Responses:
    """What a convolution says, and how far it is from it at each of several ranks, over all that it meets."""

    def __init__(self, conv: nn.Conv2d, found: Factors, ranks: Sequence[int]):
        """Takes the convolution, its factors, and the ranks in rising order."""
        self.conv, self.ranks = conv, ranks
        self.found = Factors(
            *(factor[: ranks[-1]] if i == 0 else factor[:, : ranks[-1]] for i, factor in enumerate(found))
        )
        self.pixels, self.sums, self.squares = 0, torch.zeros(conv.out_channels).double(), 0.0
        self.missed = torch.zeros(len(ranks), conv.out_channels).double()
        self.errors = torch.zeros(len(ranks)).double()

    def see(self, x: torch.Tensor, y: torch.Tensor) -> None:
        """Takes in the convolution's input and output, `(N, C, H, W)` each."""
        column, row = (factor.to(x) for factor in self.found)
        (down, across), bias = map(int, self.conv.padding), self.conv.bias
        between = functional.conv2d(x, column, padding=(down, 0))
        missed = y if bias is None else y - bias.view(-1, 1, 1)
        before = 0
        for i, rank in enumerate(self.ranks):  # the channels of a lower rank are the first of a higher one
            part = slice(before, rank)
            missed = missed - functional.conv2d(between[:, part], row[:, part], padding=(0, across))
            self.missed[i] += missed.sum((0, 2, 3)).cpu().double()
            self.errors[i] += missed.square().sum().cpu().double()
            before = rank
        self.pixels += y.numel() // y.shape[1]
        self.sums += y.sum((0, 2, 3)).cpu().double()
        self.squares += float(y.square().sum())

    def fits(self) -> dict[int, Fit]:
        """Returns how well each rank does."""
        pixels = max(self.pixels, 1)
        variance = max(self.squares - float(self.sums.square().sum()) / pixels, 1e-12)
        found = {}
        for rank, missed, errors in zip(self.ranks, self.missed, self.errors, strict=True):
            left = max(float(errors) - float(missed.square().sum()) / pixels, 0.0)
            found[rank] = Fit(left / variance, missed / pixels)
        return found


def state(conv: nn.Conv2d, found: Factors, rank: int, shift: torch.Tensor | None = None) -> dict[str, torch.Tensor]:
    """Returns the tensors of the two convolutions in a row that `rank` channels make, by their names in a sequence."""
    bias = torch.zeros(conv.out_channels) if conv.bias is None else conv.bias.detach().cpu()
    bias = bias.double() if shift is None else bias.double() + shift
    kept = {"0.weight": found.column[:rank], "1.weight": found.row[:, :rank], "1.bias": bias}
    return {name: tensor.to(conv.weight) for name, tensor in kept.items()}
