"""Operators as people write them, modules that know nothing of this package: one is right, the others are wrong in one
way each."""

import torch
from torch import nn
from torch.nn import functional as F


class Right(nn.Module):
    """A module that knows nothing of this package."""

    def __init__(self, channels: int, reduction: int = 4):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels, channels // reduction, 1), nn.ReLU(), nn.Conv2d(channels // reduction, channels, 1)
        )

    def forward(self, x):
        return x * self.gate(x)

    def gate(self, x):
        return self.layers(x.mean((2, 3), keepdim=True)).sigmoid()


class Halves(Right):
    """Brings a map that was halved back to twice its half."""

    def forward(self, x):
        return x * F.interpolate(F.avg_pool2d(x, 2, ceil_mode=True), scale_factor=2).sigmoid()


class OfOneSize(nn.Module):
    """Has a number for each place of a map of 20×20."""

    def __init__(self, channels: int):
        super().__init__()
        self.place = nn.Parameter(torch.randn(1, 1, 20, 20))

    def forward(self, x):
        return x * self.place.sigmoid()


class WritesIntoItsInput(Right):
    def forward(self, x):
        return x.mul_(self.gate(x))


class DropsOut(Right):
    """Knows nothing of evaluation."""

    def forward(self, x):
        return x * F.dropout(self.gate(x), 0.1)


class Squeezes(Right):
    """Loses a side of length 1."""

    def forward(self, x):
        return (
            x
            * self.gate(x)
            * x.mean(1, keepdim=True).squeeze().sigmoid().view(len(x), 1, *x.shape[2:-1], -1).squeeze(2)
        )


class Spreads(Right):
    """Has no number on a map of one pixel."""

    def forward(self, x):
        return x * self.layers(x.flatten(2).std(2)[..., None, None]).sigmoid()


class NormsOnePixel(Right):
    """Normalises one value a channel."""

    def __init__(self, channels: int):
        super().__init__(channels)
        self.norm = nn.BatchNorm2d(channels)

    def gate(self, x):
        return self.norm(self.layers(x.mean((2, 3), keepdim=True))).sigmoid()


class Groups(Right):
    """Fits some channels only, and leaves it to torch to say so."""

    def __init__(self, channels: int):
        super().__init__(channels)
        self.norm = nn.GroupNorm(16, channels)

    def forward(self, x):
        return self.norm(x) * self.gate(x)


class Views(Right):
    """Takes for granted how a map lies in memory."""

    def forward(self, x):
        return x * self.layers(x.view(len(x), -1).view(*x.shape[:2], -1).mean(2)[..., None, None]).sigmoid()


class SeesTheBatch(Right):
    """Compares an image with the others."""

    def gate(self, x):
        return super().gate(x - x.mean(0, keepdim=True))


class Unused(Right):
    """Has a layer that its forward forgets."""

    def __init__(self, channels: int):
        super().__init__(channels)
        self.spatial = nn.Conv2d(channels, 1, 1)


class Roots(Right):
    """Has an infinite slope where a map has no spread."""

    def forward(self, x):
        spread = (x - x.mean((2, 3), keepdim=True)).square().mean((2, 3), keepdim=True).sqrt()
        return x * self.layers(spread).sigmoid()


class HalfTheSlope(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        y = x.sigmoid()
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, gradient):
        (y,) = ctx.saved_tensors
        return gradient * y * (1 - y) / 2


class WrongSlope(Right):
    def gate(self, x):
        return HalfTheSlope.apply(self.layers(x.mean((2, 3), keepdim=True)))


class Float32(Right):
    """Makes a constant of its own dtype."""

    def gate(self, x):
        return super().gate(x) * torch.linspace(0.5, 1, x.shape[1], device=x.device).view(1, -1, 1, 1)


class Overflows(Right):
    """Sums squares, which fp16 cannot hold."""

    def gate(self, x):
        energy = x.square().sum((2, 3), keepdim=True)
        return self.layers(energy / (energy.mean(1, keepdim=True) + 1e-4)).sigmoid()


class StaysBehind(Right):
    """Makes a constant on the CPU."""

    def gate(self, x):
        return super().gate(x) * torch.linspace(0.5, 1, x.shape[1], dtype=x.dtype).view(1, -1, 1, 1)


class Activates(Right):
    """Has an activation on the map that it multiplies."""

    def forward(self, x):
        return x * self.gate(self.layers[1](x))


class HandsOn(Right):
    """Adds what is nothing in evaluation, and hands the map on as it is."""

    def forward(self, x):
        return x * self.gate(x) if self.training else x


class KeepsItsGate(Right):
    """Keeps what it computed last, to be looked at."""

    last = None

    def forward(self, x):
        self.last = self.gate(x)
        return x * self.last


class Lambda(Right):
    """Keeps a function without a name."""

    def __init__(self, channels: int):
        super().__init__(channels)
        self.squash = lambda gate: gate / 2

    def forward(self, x):
        return x * self.squash(self.gate(x))


class Forgets(Right):
    """Keeps what it learns as a number of Python's."""

    def __init__(self, channels: int):
        super().__init__(channels)
        self.temperature = torch.rand(()).item()

    def forward(self, x):
        return x * self.gate(x) * self.temperature


class Branches(Right):
    """Asks Python which way a map goes."""

    def forward(self, x):
        return x * self.gate(x) if x.amax() > 0.5 else x * self.gate(x) / 2


class Pools(Right):
    """Pools to a number of cells that not every map is a multiple of."""

    def gate(self, x):
        return F.interpolate(self.layers(F.adaptive_avg_pool2d(x, 4)), x.shape[2:]).sigmoid()


class PerChannel(Right):
    """Has a number per channel in the form of an image."""

    def __init__(self, channels: int):
        super().__init__(channels)
        self.scale = nn.Parameter(torch.ones(1, channels, 1, 1))

    def forward(self, x):
        return x * (self.gate(x) * self.scale).to(x.dtype)


OPERATORS = [
    one
    for one in list(vars().values())
    if isinstance(one, type) and issubclass(one, nn.Module) and one.__module__ == __name__
]
