"""LSKA, large separable kernel attention."""

from typing import ClassVar

import torch
from torch import nn

from yolo_attn.errors import AttentionError
from yolo_attn.nn.base import Attention
from yolo_attn.nn.info import AttentionInfo
from yolo_attn.nn.layers import zero_biases

# How the authors make a kernel of so many pixels: the local kernel, the dilated one, and its dilation.
KERNELS = {7: (3, 3, 2), 11: (3, 5, 2), 23: (5, 7, 3), 35: (5, 11, 3), 41: (5, 13, 3), 53: (5, 17, 3)}


class LSKA(Attention):
    """A gate that sees far: strips along both axes, near and dilated, then a 1×1 convolution, without a bound.

    Lau, Po, Rehman, "Large Separable Kernel Attention: Rethinking the Large Kernel Attention Design in CNN", 2023,
    arXiv 2309.01439, equations 7 to 10: x · conv1×1(dilated k×1(dilated 1×k(k×1(1×k x)))), all but the last depthwise.
    Parameter names follow the authors' code (StevenLauHKHK/Large-Separable-Kernel-Attention), whose state dicts load.
    This is the attention itself; in their VAN a 1×1 convolution and a GELU stand before it, another 1×1 and a shortcut
    around: Ultralytics' blocks have those.

    Start: their VAN's, weights from N(0, 2 / (kernel · outputs per group)), biases 0.

    The gate is as large as what it reads: in fp16, x · gate is beyond 65504 from features of some 50 on. Copies with a
    sigmoid behind the last convolution are another operator.

    Args:
        channels: Channels C of the map.
        kernel_size: The width seen, 7, 11, 23, 35, 41 or 53 pixels.
    """

    gates: ClassVar = ("large_kernel",)

    def __init__(self, channels: int, kernel_size: int = 7):
        super().__init__(channels)
        if kernel_size not in KERNELS:
            sizes = ", ".join(map(str, KERNELS))
            raise AttentionError(f"LSKA has kernels of {sizes}, got {kernel_size}; set {{kernel_size: 7}}")
        self.kernel_size = kernel_size
        near, far, dilation = KERNELS[kernel_size]
        self.conv0h = strip(channels, (1, near))
        self.conv0v = strip(channels, (near, 1))
        self.conv_spatial_h = strip(channels, (1, far), dilation)
        self.conv_spatial_v = strip(channels, (far, 1), dilation)
        self.conv1 = nn.Conv2d(channels, channels, 1)
        for conv in self.layers():
            fan_out = conv.weight[0, 0].numel() * conv.out_channels // conv.groups
            nn.init.normal_(conv.weight, std=(2 / fan_out) ** 0.5)
        zero_biases(self)

    def layers(self) -> list[nn.Conv2d]:
        """Returns the convolutions in their order."""
        return [self.conv0h, self.conv0v, self.conv_spatial_h, self.conv_spatial_v, self.conv1]

    def large_kernel(self, x: torch.Tensor) -> torch.Tensor:
        """`(N, C, H, W)` → `(N, C, H, W)`."""
        for conv in self.layers():
            x = conv(x)
        return x

    def deploy_gates(self) -> list[nn.Module]:
        return [nn.Sequential(*self.layers())]


INFO = AttentionInfo(
    name="LSKA",
    cls=LSKA,
    kind="spatial",
    title="strips along both axes, near and dilated, as a large kernel",
    paper="2309.01439",
    year=2023,
    positional=("kernel_size",),
    aliases=("LargeSeparableKernelAttention", "LSKA_Attention", "LSKABlock"),
    spellings=(((35,), {"kernel_size": 35}), ((41,), {"kernel_size": 41}), ((53,), {"kernel_size": 53})),
)


def strip(channels: int, size: tuple[int, int], dilation: int = 1) -> nn.Conv2d:
    """Returns a depthwise convolution along one axis that keeps the map's size."""
    padding = (size[0] // 2 * dilation, size[1] // 2 * dilation)
    return nn.Conv2d(channels, channels, size, padding=padding, dilation=dilation, groups=channels)
