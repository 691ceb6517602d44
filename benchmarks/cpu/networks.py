"""The networks of the papers' tables, and where in them an operator is put. Nothing here is trained or computed."""

from collections.abc import Callable

import torch
from torch import nn
from torchvision import models

Build = Callable[..., nn.Module]  # the operator for a number of channels, and for a stage where its options change


def strided_first(model: nn.Module) -> nn.Module:
    """Moves a bottleneck's stride into its first convolution, where ResNet's paper has it; torchvision's is later."""
    for block in model.modules():
        if isinstance(block, models.resnet.Bottleneck):
            block.conv1.stride, block.conv2.stride = block.conv2.stride, block.conv1.stride
    return model


def in_blocks(build: Build, model: nn.Module) -> nn.Module:
    """Puts an operator behind the last batch norm of every residual block, before the addition."""
    for stage, blocks in enumerate((model.layer1, model.layer2, model.layer3, model.layer4)):
        for block in blocks:
            last = "bn3" if isinstance(block, models.resnet.Bottleneck) else "bn2"
            norm = getattr(block, last)
            setattr(block, last, nn.Sequential(norm, build(norm.num_features, stage)))
    return model


def in_blocks_unstrided(build: Build, model: nn.Module) -> nn.Module:
    """Does the same and takes the stride out of the last stage, as GSoP's authors do."""
    first = model.layer4[0]
    for conv in (first.conv1, first.conv2, first.downsample[0]):
        conv.stride = (1, 1)
    return in_blocks(build, model)


def between_stages(build: Build, model: nn.Module) -> nn.Module:
    """Puts an operator behind each of the first three stages."""
    for name in ("layer1", "layer2", "layer3"):
        stage = getattr(model, name)
        norm = [layer for layer in stage.modules() if isinstance(layer, nn.BatchNorm2d)][-1]
        setattr(model, name, nn.Sequential(stage, build(norm.num_features)))
    return model


def before_convolutions(build: Build, model: nn.Module) -> nn.Module:
    """Puts an operator before every convolution of every residual block's main branch."""
    for block in model.modules():
        if isinstance(block, models.resnet.Bottleneck):
            for name in ("conv1", "conv2", "conv3"):
                conv = getattr(block, name)
                setattr(block, name, nn.Sequential(build(conv.in_channels), conv))
    return model


def behind_depthwise(build: Build, model: nn.Module) -> nn.Module:
    """Puts an operator behind the depthwise convolution of every inverted residual of MobileNetV2."""
    for block in model.modules():
        if isinstance(block, models.mobilenetv2.InvertedResidual):
            depthwise = block.conv[-3]
            block.conv[-3] = nn.Sequential(depthwise, build(depthwise.out_channels))
    return model


class Neck(nn.ModuleList):
    """What stands behind the four C2f of YOLOv8-l's neck at 640 pixels, by itself: nothing, until it is put in."""

    MAPS = ((512, 40), (256, 80), (512, 40), (512, 20))

    def forward(self, x: torch.Tensor) -> None:
        for operator, (channels, size) in zip(self, self.MAPS, strict=False):
            operator(x.new_empty(1, channels, size, size))


def in_neck(build: Build, neck: Neck) -> Neck:
    """Puts an operator behind each of the four C2f."""
    return neck.extend(build(channels) for channels, _ in Neck.MAPS)


# Titles and builders, and the placements, by the names that stand in published.csv.
BASES: dict[str, tuple[str, Callable[[], nn.Module]]] = {
    "resnet50-1x1": (
        "ResNet-50, the stride in the first 1×1 convolution",
        lambda: strided_first(models.resnet50()),
    ),
    "resnet50-3x3": ("ResNet-50, the stride in the 3×3 convolution", models.resnet50),
    "resnet18": ("ResNet-18", models.resnet18),
    "mobilenet_v2": ("MobileNetV2", models.mobilenet_v2),
    "yolov8l-neck": ("The neck of YOLOv8-l at 640 pixels: what the operators add", Neck),
}
PLACEMENTS: dict[str, Callable[[Build, nn.Module], nn.Module]] = {
    place.__name__: place
    for place in (in_blocks, in_blocks_unstrided, between_stages, before_convolutions, behind_depthwise, in_neck)
}
