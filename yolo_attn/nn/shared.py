"""What several operators share beyond `layers`: a pooling matrix, sums that fit half precision, folding of stacks."""

import torch
from torch import nn

from yolo_attn.nn.layers import BatchNorm2d, ReLU, fold
from yolo_attn.ops.reduce import RootSumSquare


def average_matrix(pixels: int, bins: int, like: torch.Tensor) -> torch.Tensor:
    """Returns the `(bins, pixels)` matrix that averages a line of `pixels` into `bins`, in the dtype of `like`.

    Both divide the same line evenly; a bin is the mean of the pixels it overlaps. So `A @ x` is adaptive average
    pooling for any two lengths (and repeats pixels where the bins are more), but it exports for every map size, and its
    gradient is deterministic on CUDA.
    """
    bin_, pixel = torch.arange(bins, device=like.device), torch.arange(pixels, device=like.device)
    # On a line of length bins · pixels, bin b is [b · pixels, (b + 1) · pixels), pixel p is [p · bins, (p + 1) · bins).
    offset = (bin_ * pixels).unsqueeze(1) - pixel * bins
    overlap = ((offset < bins) & (offset > -pixels)).to(like.dtype)
    return overlap / overlap.sum(1, keepdim=True)


def at_least_float32(x: torch.Tensor) -> torch.dtype:
    """Returns the dtype in which sums of squares are safe: |x| = 256 squared is beyond fp16."""
    return torch.promote_types(x.dtype, torch.float32)


def root_sum_square(x: torch.Tensor, dims: tuple[int, ...], training: bool) -> torch.Tensor:
    """Returns √Σx² over `dims`, kept as 1; summed in float32 at least, without a wide copy of `x`."""
    if training:
        return RootSumSquare.apply(x, dims, at_least_float32(x))
    return torch.linalg.vector_norm(x, dim=dims, keepdim=True, dtype=at_least_float32(x))


def capped(x: torch.Tensor) -> torch.Tensor:
    """Returns `x` within ±32 where it is fp16, and unchanged elsewhere: features that are multiplied with one another.

    Their products and sums of products then stay finite. A batch norm whose statistics are known never gives as much.
    """
    return x.clamp(-32, 32) if x.dtype == torch.float16 else x


def finite(x: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Returns `x` in `dtype`, in fp16 within what that can write: what follows has no infinities to add up."""
    if dtype == torch.float16:
        x = x.clamp(-65504, 65504)
    return x.to(dtype)


def affine(norm: nn.BatchNorm2d) -> tuple[torch.Tensor, torch.Tensor]:
    """Returns (a, b), with which `norm` is a · x + b in evaluation."""
    mean, variance = norm.running_mean, norm.running_var
    assert mean is not None and variance is not None
    a = norm.weight / (variance + norm.eps).sqrt()
    return a.detach(), (norm.bias - mean * a).detach()


def fold_all(layers: nn.Sequential) -> nn.Sequential:
    """Returns `layers` with every batch norm folded into the convolution before it."""
    folded: list[nn.Module] = []
    for layer in layers:
        if isinstance(layer, nn.BatchNorm2d):
            folded[-1] = fold(folded[-1], layer)
        else:
            folded.append(layer)
    return nn.Sequential(*folded)


def conv_norm_relu(inputs: int, outputs: int, kernel_size: int = 1, dilation: int = 1) -> list[nn.Module]:
    """Returns a convolution that keeps the map's size, a batch norm and a ReLU."""
    padding = kernel_size // 2 * dilation
    conv = nn.Conv2d(inputs, outputs, kernel_size, padding=padding, dilation=dilation)
    return [conv, BatchNorm2d(outputs), ReLU()]
