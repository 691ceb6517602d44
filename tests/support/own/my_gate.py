"""An operator of somebody's own that is a subclass of Attention, with a gate."""

from torch import nn

from yolo_attn.nn import Attention


class MyGate(Attention):
    """Each channel by a number made of its mean."""

    gates = ("channel_gate",)

    def __init__(self, channels, bias=True):
        super().__init__(channels)
        self.bias = bias
        self.scale = nn.Conv2d(channels, channels, 1, groups=channels, bias=bias)

    def channel_gate(self, x):
        return self.scale(x.mean((2, 3), keepdim=True)).sigmoid()
