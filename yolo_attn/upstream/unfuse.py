"""What `fuse()` did to a source, undone as far as that goes: the same function again in layers that can be trained.

A convolution that took its batch norm up gets one back that changes nothing in evaluation: weight 1, mean 0, variance
1 − eps, and the convolution's bias. A branch that was added into another comes back as zeros. The statistics of the
training are gone, and with them how the network behaves in training; branches of the head for training alone, too.
"""

import copy
from typing import Any

import torch
from torch import nn
from ultralytics.nn.modules import Conv, ConvTranspose, RepConv
from ultralytics.nn.modules.block import RepVGGDW
from ultralytics.nn.modules.conv import Conv2

EPS, MOMENTUM = 1e-3, 0.03  # which Ultralytics' initialize_weights sets on every batch norm


def is_folded(model: nn.Module) -> bool:
    """Tells whether a convolution of `model` has taken its batch norm up."""
    return any(isinstance(m, (Conv, ConvTranspose)) and not hasattr(m, "bn") for m in model.modules())


def unfused(model: nn.Module) -> nn.Module:
    """Returns a copy of a fused model with batch norms and branches again; in evaluation it is the same function."""
    model = copy.deepcopy(model)
    for module in list(model.modules()):
        m: Any = module
        if isinstance(m, RepConv) and not hasattr(m, "conv1"):
            m.conv1, m.conv2, m.bn = equal_to(m.conv), nothing_beside(m.conv, 1), None
            del m.conv
        elif isinstance(m, RepVGGDW) and not hasattr(m, "conv1"):
            m.conv1, m.conv = nothing_beside(m.conv, 3), equal_to(m.conv)
        elif isinstance(m, ConvTranspose) and not hasattr(m, "bn"):
            m.bn = take_bias(m.conv_transpose)
        elif isinstance(m, Conv) and not hasattr(m, "bn"):
            if isinstance(m, Conv2) and not hasattr(m, "cv2"):
                m.cv2 = nothing_beside(m.conv, 1).conv
            m.bn = take_bias(m.conv)
        else:
            continue
        vars(m).pop("forward", None)  # fuse() puts another forward on the module
    return model


def take_bias(conv: Any) -> nn.BatchNorm2d:
    """Returns the batch norm that adds the bias of `conv`, which is taken from it, and changes nothing else."""
    norm = nn.BatchNorm2d(conv.out_channels, EPS, MOMENTUM).to(conv.weight).eval()
    with torch.no_grad():
        norm.running_var.fill_(1 - EPS)  # type: ignore[union-attr]
        norm.bias.copy_(conv.bias)
    conv.bias = None
    return norm


def equal_to(folded: Any) -> Conv:
    """Returns the block without activation that equals a folded convolution."""
    return _block(folded, folded.weight, folded.bias)


def nothing_beside(folded: Any, kernel_size: int) -> Conv:
    """Returns a block beside that of a folded convolution, of its channels, that adds nothing."""
    return _block(folded, folded.weight.new_zeros(*folded.weight.shape[:2], kernel_size, kernel_size), None)


def _block(like: nn.Conv2d, weight: torch.Tensor, bias: torch.Tensor | None) -> Conv:
    block = Conv(like.in_channels, like.out_channels, weight.shape[-1], like.stride[0], g=like.groups, act=False)
    block.conv.weight = nn.Parameter(weight.detach().clone())
    block.conv.bias = nn.Parameter(weight.new_zeros(len(weight)) if bias is None else bias.detach().clone())
    block.bn = take_bias(block.conv)
    return block
