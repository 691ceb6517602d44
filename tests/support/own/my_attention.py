"""An operator of somebody's own: any module that is built from the channels and keeps the shape of its map."""

import torch
from torch import nn


class Bottleneck(nn.Module):
    """A part that is no operator: its constructor wants more than the channels."""

    def __init__(self, channels, hidden):
        super().__init__()
        self.down = nn.Conv2d(channels, hidden, 1)
        self.up = nn.Conv2d(hidden, channels, 1)

    def forward(self, x):
        return self.up(torch.relu(self.down(x)))


class MyAttention(nn.Module):
    """Each channel by a number made of the means of all."""

    def __init__(self, channels, reduction=4, act=nn.Sigmoid):
        super().__init__()
        self.gate = Bottleneck(channels, max(channels // reduction, 1))
        self.act = act()

    def forward(self, x):
        return x * self.act(self.gate(x.mean((2, 3), keepdim=True)))
