"""Layers that several operators share."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn.utils import fuse_conv_bn_eval


class BatchNorm2d(nn.BatchNorm2d):
    """Batch norm that also trains on one value per channel: a 1×1 map in a batch of one.

    torch raises there, because one value has no variance. Such a batch (the last of an epoch, or a pooled map) is
    normalised by the running statistics, as in evaluation, and leaves them unchanged.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.normalise(x, self.eps)

    def normalise(self, x: torch.Tensor, eps: float) -> torch.Tensor:
        """Returns `x` normalised, and learns its statistics in training."""
        learns = self.training and x.numel() > x.shape[1]
        if learns and self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
        return nn.functional.batch_norm(
            x, self.running_mean, self.running_var, self.weight, self.bias, learns, self.momentum or 0.0, eps
        )


class ReLU(nn.Module):
    """max(x, 0), always as a new tensor.

    torch's own has a switch `inplace`, and Ultralytics turns on every such switch of a checkpoint that it loads. An
    activation on an operator's input would then rewrite the map that the operator multiplies, and other rows read.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.relu()


class Hardswish(nn.Module):
    """x · min(max(x + 3, 0), 6) / 6, always as a new tensor, as `ReLU`."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.hardswish(x)


NEVER_IN_PLACE: dict[type[nn.Module], type[nn.Module]] = {nn.ReLU: ReLU, nn.Hardswish: Hardswish}


def never_in_place(module: nn.Module) -> None:
    """Replaces torch's activations within `module` by ours: those of a pickle from before ours."""
    for parent in module.modules():
        for name, child in parent.named_children():
            if type(child) in NEVER_IN_PLACE:
                setattr(parent, name, NEVER_IN_PLACE[type(child)]())


def draw_by_fan_out(module: nn.Module) -> None:
    """Draws the weights of every convolution within `module` from N(0, 2 / (kernel · outputs)), as ResNets start."""
    for conv in module.modules():
        if isinstance(conv, nn.Conv2d):
            nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")


def zero_biases(module: nn.Module) -> None:
    """Sets the bias of every convolution within `module` to 0."""
    for conv in module.modules():
        if isinstance(conv, nn.Conv2d) and conv.bias is not None:
            nn.init.zeros_(conv.bias)


def wide(layers: Callable, x: torch.Tensor) -> Any:
    """Returns the map or maps that `layers` make of `x`, computed in float32 where autocast would take float16.

    A gate's first convolution is drawn wider than the network's own: on features of 10,000, which those survive, its
    sums are beyond 65504, and a batch norm makes NaN of infinity.
    """
    kind = x.device.type
    if kind == "meta" or not torch.is_autocast_enabled(kind) or torch.get_autocast_dtype(kind) != torch.float16:
        return layers(x)
    with torch.autocast(kind, enabled=False):
        made = layers(x.float())
    return made.to(x.dtype) if isinstance(made, torch.Tensor) else [one.to(x.dtype) for one in made]


def fold(conv: Any, norm: Any) -> nn.Conv2d:
    """Returns the convolution that equals `conv` followed by the batch norm `norm` in evaluation."""
    return fuse_conv_bn_eval(conv, norm)


def bottleneck(channels: int, hidden: int, bias: bool = True) -> nn.Sequential:
    """Returns the two-layer perceptron over channels, as 1×1 convolutions: channels → hidden → ReLU → channels."""
    return nn.Sequential(nn.Conv2d(channels, hidden, 1, bias=bias), ReLU(), nn.Conv2d(hidden, channels, 1, bias=bias))


class ShuffleChannels(nn.Module):
    """ShuffleNet's channel shuffle: channel (g, i) of g groups of i channels becomes channel (i, g). `(N, C, H, W)`."""

    def __init__(self, groups: int):
        super().__init__()
        self.groups = groups

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous():  # and so it stays
            pixels = x.permute(0, 2, 3, 1).unflatten(3, (self.groups, -1))
            return pixels.transpose(3, 4).flatten(3).permute(0, 3, 1, 2)
        return x.unflatten(1, (self.groups, -1)).transpose(1, 2).flatten(1, 2)


class PickChannels(nn.Module):
    """A fixed reordering of channels as one lookup: what `ShuffleChannels` becomes for export, without a transpose.

    Traced for another format than ONNX it stays a shuffle, which ncnn has and a lookup not.
    """

    index: torch.Tensor
    groups = 0  # in a pickle from before

    def __init__(self, index: torch.Tensor, groups: int):
        super().__init__()
        self.register_buffer("index", index)
        self.groups = groups

    @classmethod
    def shuffled(cls, channels: int, groups: int) -> "PickChannels":
        """Returns the order that `ShuffleChannels(groups)` gives."""
        return cls(torch.arange(channels).view(groups, -1).t().flatten(), groups)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.groups and torch.jit.is_tracing() and not torch.onnx.is_in_onnx_export():
            return x.unflatten(1, (self.groups, -1)).transpose(1, 2).flatten(1, 2)
        return x.index_select(1, self.index)
