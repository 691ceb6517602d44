"""Mean and maximum of a map, with gradients that pass over it as rarely as they can.

Autograd writes the gradient of a mean out at the map's size and reads it again to add it. In training it stays here the
small tensor it is, broadcast; a mean and a maximum of the same map share one full-size gradient, where each would
have its own. Evaluation has plain reductions, which every exporter knows.
"""

from typing import Any

import torch


def mean(x: torch.Tensor, dims: tuple[int, ...], training: bool) -> torch.Tensor:
    """Returns the mean over `dims`, kept as 1."""
    return Mean.apply(x, dims) if training else x.mean(dims, keepdim=True)


def mean_and_max(x: torch.Tensor, dims: tuple[int, ...], training: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """Returns mean and maximum over one of the dimensions, or over (2, 3), kept as 1.

    In training the first of the values that tie gets the whole gradient, as from max pooling.
    """
    if not training:
        return x.mean(dims, keepdim=True), x.amax(dims, keepdim=True)
    if dims == (2, 3):
        average, maximum, _ = MeanAndMax.apply(x.flatten(2), 2)
        return average.unsqueeze(3), maximum.unsqueeze(3)
    average, maximum, _ = MeanAndMax.apply(x, *dims)
    return average, maximum


class Mean(torch.autograd.Function):
    """The mean over `dims`, kept as 1; the gradient is a broadcast view."""

    @staticmethod
    def forward(x: torch.Tensor, dims: tuple[int, ...]) -> torch.Tensor:
        return x.mean(dims, keepdim=True)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: torch.Tensor) -> None:
        ctx.shape, ctx.count = inputs[0].shape, inputs[0].numel() // output.numel()

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        return (gradient / ctx.count).expand(ctx.shape), None


class MeanAndMax(torch.autograd.Function):
    """Mean, maximum and its index over `dim`, kept as 1."""

    @staticmethod
    def forward(x: torch.Tensor, dim: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        maximum, index = x.max(dim, keepdim=True)
        return x.mean(dim, keepdim=True), maximum, index

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: tuple) -> None:
        x, ctx.dim = inputs
        ctx.mark_non_differentiable(output[2])
        ctx.save_for_backward(output[2])
        ctx.shape = x.shape
        if not torch.compiler.is_compiling():
            # The gradient lies as x does, without the gaps of a slice.
            ctx.stride = x.stride() if x.is_contiguous() else torch.empty_like(x, device="meta").stride()

    @staticmethod
    def backward(ctx: Any, mean: torch.Tensor, maximum: torch.Tensor, _: Any) -> tuple[torch.Tensor, None]:
        (index,) = ctx.saved_tensors
        share = mean / ctx.shape[ctx.dim]
        if torch.compiler.is_compiling():  # one comparison, which fuses with what reads it; a scatter never does
            line = [1] * len(ctx.shape)
            line[ctx.dim] = -1
            position = torch.arange(ctx.shape[ctx.dim], device=index.device).view(line)
            return torch.where(position == index, share + maximum, share), None
        gradient = share.new_empty_strided(ctx.shape, ctx.stride).copy_(share)
        return gradient.scatter_(ctx.dim, index, share + maximum), None


class RootSumSquare(torch.autograd.Function):
    """√Σx² over `dims`, kept as 1, in `dtype`; the gradient is one product, and 0 where all of x is."""

    @staticmethod
    def forward(x: torch.Tensor, dims: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
        return torch.linalg.vector_norm(x, dim=dims, keepdim=True, dtype=dtype)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: torch.Tensor) -> None:
        ctx.save_for_backward(inputs[0], output)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        x, norm = ctx.saved_tensors
        return (x * (gradient / norm).masked_fill(norm == 0, 0)).to(x.dtype), None, None


def outer(rows: torch.Tensor, columns: torch.Tensor, training: bool) -> torch.Tensor:
    """Returns the product of `(N, C, H, 1)` and `(N, C, 1, W)`, `(N, C, H, W)`.

    As a product of matrices its gradients are too, and sum up without a full-size product first. A compiler fuses the
    broadcast product, and exporters write it as one node.
    """
    return rows @ columns if training and not torch.compiler.is_compiling() else rows * columns
