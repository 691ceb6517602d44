"""Networks in which every layer matters, without any training: a comparison of two of them sees what it should see.

A network as it is built sees nothing. Its batch norms expect maps of another scale, so that activations fade from layer
to layer, all scores are the same, and a convolution that is off by a tenth moves the output by 1e-7.
"""

import math
from collections.abc import Iterator

import cv2
import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd
from ultralytics.nn.modules import DFL
from ultralytics.utils import ASSETS

PICTURES = sorted(ASSETS.glob("*.jpg"))
FEW = 0.05  # of the anchors have a class whose score is above 0.25


def sensitive(network: nn.Module, size: int = 160, seed: int = 0) -> nn.Module:
    """Draws the weights of `network` anew, in place, and returns it in evaluation.

    It runs once on pictures and noise, and each layer is fitted when its turn comes: a batch norm takes the statistics
    of what arrives, a layer of weights is scaled to outputs of deviation 1 around 0. Scales, shifts and the shares of
    an identity start leave the numbers that they start at. A detector finds something in a few places.

    Args:
        network: A network of Ultralytics', of any task, that is not fused.
        size: The side of the pictures that it is fitted on.
        seed: Of the weights and the noise.
    """
    generator = torch.Generator().manual_seed(seed)

    def noise(like: torch.Tensor) -> torch.Tensor:
        return torch.randn(like.shape, generator=generator).to(like)

    def drawn(like: torch.Tensor) -> torch.Tensor:
        """A kernel has a mean: where none has one, deep maps are large on few images, and larger still on new ones."""
        return noise(like) + (noise(like[..., :1, :1]) if like.ndim == 4 else 0)

    def fit(layer: nn.Module, arrived: tuple[torch.Tensor, ...]) -> None:
        waiting[layer].remove()  # one that runs several times is fitted once
        if isinstance(layer, _NormBase):
            mean, deviation = moments(arrived[0], 1)
            layer.running_mean.copy_(mean)
            layer.running_var.copy_(deviation.square())
            return
        layer.weight.copy_(drawn(layer.weight))
        if layer.bias is not None:
            layer.bias.zero_()
        mean, deviation = moments(layer.forward(*arrived), 1 if isinstance(layer, _ConvNd) else -1)
        if layer.bias is None:  # nothing could shift its outputs to lie around 0
            deviation = (mean.square() + deviation.square()).mean().sqrt().expand_as(mean)
        else:
            layer.bias.copy_(0.3 * noise(mean) - mean / deviation)
        layer.weight.div_(along_outputs(deviation, layer))

    network.eval()
    fixed = {module for dfl in network.modules() if isinstance(dfl, DFL) for module in dfl.modules()}
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim == 1:
                parameter.add_(0.2 * noise(parameter))
        waiting = {
            layer: layer.register_forward_pre_hook(fit)
            for layer in network.modules()
            if isinstance(layer, _ConvNd | nn.Linear | _NormBase) and layer not in fixed
        }
        batch = images(network.yaml.get("channels", 3), size, generator)
        network(batch)
        for hook in waiting.values():
            hook.remove()
        spread_scores(network, batch)
    return network


def moments(x: torch.Tensor, channel: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Returns mean and deviation of each channel; one that hardly varies is not magnified, rounding would show."""
    x = x.movedim(channel, 0).flatten(1)
    mean = x.mean(1)
    return mean, x.std(1).clamp(min=1e-3).maximum(0.05 * mean.abs())


def along_outputs(numbers: torch.Tensor, layer: nn.Module) -> torch.Tensor:
    """Returns a number for each output of a layer in the shape in which its weights are divided by them."""
    if not isinstance(layer, _ConvTransposeNd):
        return numbers.view(-1, *[1] * (layer.weight.ndim - 1))
    shape = layer.weight.shape  # (inputs, outputs of a group, *kernel)
    per_group = numbers.view(layer.groups, shape[1]).repeat_interleave(shape[0] // layer.groups, 0)
    return per_group.view(*per_group.shape, *[1] * (layer.weight.ndim - 2))


def images(channels: int, size: int, generator: torch.Generator) -> torch.Tensor:
    """Returns images `(N, channels, size, size)`: pictures upright, then mirrored; then blocks and noise."""
    pictures = [cv2.resize(cv2.imread(str(file)), (size, size))[..., ::-1] / 255 for file in PICTURES]
    upright = torch.stack([torch.from_numpy(picture).permute(2, 0, 1).float() for picture in pictures])
    upright = upright.repeat(1, -(-channels // 3), 1, 1)[:, :channels]
    squares = [torch.rand((2, channels, many, many), generator=generator) for many in (1, 2, 4, 16, size)]
    return torch.cat((upright, upright.flip(-1), *(nn.functional.interpolate(few, size=size) for few in squares)))


def spread_scores(network: nn.Module, batch: torch.Tensor) -> None:
    """Lets a classifier prefer few classes, and a detector find something in few places, in boxes not inside out."""
    head = network.model[-1]
    if hasattr(head, "linear"):
        head.linear.weight.mul_(3)
        head.linear.bias.mul_(3)
    hooks = []

    def spread(last: nn.Module, arrived: tuple, outputs: torch.Tensor) -> None:
        outputs = outputs[:4]
        highest = outputs.amax(1).flatten().quantile(1 - FEW)
        gain = 3 / (highest - outputs.mean())
        last.weight.mul_(gain)
        last.bias.copy_((last.bias - highest) * gain - math.log(3))

    for branch in ("cv2", "one2one_cv2", "cv3", "one2one_cv3"):
        for last in last_convolutions(getattr(head, branch, None) or ()):
            if branch.endswith("cv3"):
                hooks.append(last.register_forward_hook(spread))
            elif head.reg_max == 1:
                last.bias.add_(5)  # its outputs are the distances to the box's sides, in cells
    for contrast in (layer for layer in head.modules() if hasattr(layer, "logit_scale")):  # of text and map
        contrast.bias.fill_(-2)
    network(batch)
    for hook in hooks:
        hook.remove()


def last_convolutions(levels) -> Iterator[nn.Conv2d]:
    for level in levels:
        last = level[-1] if isinstance(level, nn.Sequential) else level
        if isinstance(last, nn.Conv2d):
            yield last
