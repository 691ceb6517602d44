"""GAM, the global attention mechanism."""

from typing import Any, ClassVar

import torch
from torch import nn

from yolo_attn.errors import AttentionError
from yolo_attn.nn.base import Attention, hidden_channels, mixed
from yolo_attn.nn.info import AttentionInfo
from yolo_attn.nn.layers import BatchNorm2d, PickChannels, ReLU, ShuffleChannels, bottleneck, fold
from yolo_attn.ops.choice import asked, kernels

KERNEL_WIDTH = 256  # hidden channels that the Triton kernel can hold; a wider perceptron stays PyTorch's


class GAM(Attention):
    """Global attention: a full-size channel gate, then a full-size spatial gate; nothing is pooled.

    Liu, Shao, Hoffmann, "Global Attention Mechanism: Retain Information to Enhance Channel-Spatial Interactions",
    2021, arXiv 2112.05561, equations 1 and 2: F2 = Mc(F1) · F1, F3 = Ms(F2) · F2. Mc is a two-layer perceptron over
    the channels of each pixel with a sigmoid; Ms is conv 7×7 C→C/r, BN, ReLU, conv 7×7 C/r→C, BN, sigmoid.
    Names and order of the parameters follow the widely copied PyTorch file, so that its state dicts load.

    Start: torch's, as in that file.

    Differs from the paper:
        - The perceptron is a pair of 1×1 convolutions: the same function without permuting the map.
        - `reduction` is 4, as that file has it. The paper sets "the same r as BAM", 16, which its parameter totals fit.
          Parameters per module 2C²/r + 98C²/(r·groups): at C = 512 and groups = 1 that is 6.6 M for 4, 1.6 M for 16.
        - No official code was found; the shuffle's place (between the grouped convolutions) follows the text.
        - `rank` and `depthwise` are no form of the paper: cheaper networks in the place of Ms, to be trained as such. A
          window of 7×7 and of full rank is what the dense convolutions can learn and these cannot.

    Args:
        channels: Channels C of the map.
        reduction: r, the ratio of C to the hidden width of both gates; must divide C.
        groups: Groups of both 7×7 convolutions, with a channel shuffle between them; must divide C / r.
        channel_sigmoid: False gives the widely copied form, which multiplies by the perceptron's raw output. Its result
            grows with the square of the map and overflows fp16 under mixed precision, where the map is large.
        rank: R makes each 7×7 convolution a 7×1 to R channels and a 1×7 from them: 7R(C + C/r) weights instead of
            49C²/r. True takes R = C/r; 0 is the paper's dense form.
        depthwise: True makes Ms conv 1×1 C→C/r, depthwise conv 7×7, BN, ReLU, conv 1×1 C/r→C, BN, sigmoid: a pixel's
            gate sees 7×7 pixels instead of 13×13, at a fiftieth of the weights.
    """

    rank: int = 0  # in a pickle from before there was one
    depthwise = False

    gates: ClassVar = ("channel_attention", "spatial_attention")

    def __init__(
        self,
        channels: int,
        reduction: int = 4,
        groups: int = 1,
        channel_sigmoid: bool = True,
        rank: int = 0,
        depthwise: bool = False,
    ):
        super().__init__(channels)
        self.reduction, self.groups, self.channel_sigmoid = reduction, groups, channel_sigmoid
        self.rank, self.depthwise = rank, depthwise
        hidden = hidden_channels(channels, reduction, "GAM")
        if channels % reduction or groups < 1 or hidden % groups:
            raise AttentionError(
                f"GAM needs channels divisible by reduction × groups, got {channels} / ({reduction} × {groups}); "
                "set {reduction: …, groups: …} to divisors"
            )
        if rank < 0 or (rank == 1 and rank is not True):
            raise AttentionError(f"rank of GAM is true, which is C / reduction, or a number from 2, got {rank}")
        if (groups > 1) + bool(rank) + depthwise > 1:
            raise AttentionError("GAM's groups, rank and depthwise each replace its 7×7 convolutions; set one of them")
        self.channel_attention = bottleneck(channels, hidden)
        if channel_sigmoid:
            self.channel_attention.append(nn.Sigmoid())
        relu = ReLU() if groups == 1 else nn.Sequential(ReLU(), ShuffleChannels(groups))
        self.spatial_attention = nn.Sequential(
            self._first(hidden),
            BatchNorm2d(hidden),
            relu,
            self._second(hidden),
            BatchNorm2d(channels),
            nn.Sigmoid(),
        )

    def _first(self, hidden: int) -> nn.Module:
        """Returns the spatial gate's first layer, C → C/r."""
        if self.depthwise:
            narrow = nn.Conv2d(self.channels, hidden, 1, bias=False)
            return nn.Sequential(narrow, nn.Conv2d(hidden, hidden, 7, padding=3, groups=hidden))
        return self._seven(self.channels, hidden, hidden)

    def _second(self, hidden: int) -> nn.Module:
        """Returns the spatial gate's second layer, C/r → C."""
        return nn.Conv2d(hidden, self.channels, 1) if self.depthwise else self._seven(hidden, self.channels, hidden)

    def _seven(self, channels: int, to: int, hidden: int) -> nn.Module:
        """Returns a 7×7 convolution, dense, in groups, or of a rank: one column of 7, one row of 7."""
        if not self.rank:
            return nn.Conv2d(channels, to, 7, padding=3, groups=self.groups)
        rank = hidden if self.rank is True else self.rank
        column = nn.Conv2d(channels, rank, (7, 1), padding=(3, 0), bias=False)
        return nn.Sequential(column, nn.Conv2d(rank, to, (1, 7), padding=(0, 3)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not kernels("GAM", x, self.training):
            return super().forward(x)
        if (hidden := self.channels // self.reduction) > KERNEL_WIDTH:
            if asked() != "triton":
                return super().forward(x)
            raise AttentionError(
                f"GAM's kernels take up to {KERNEL_WIDTH} hidden channels, got {hidden}; set YOLO_ATTN_IMPL=eager"
            )
        from yolo_attn.ops.triton.gam import gam_channel

        channel, spatial = self.shares()
        x = gam_channel(x, self.channel_attention.parameters(), self.channel_sigmoid, channel)
        return x * mixed(self.spatial_attention(x), spatial)

    def deploy_gates(self) -> list[nn.Module]:
        conv1, norm1, relu, conv2, norm2, sigmoid = self.spatial_attention
        if self.groups > 1:
            relu = nn.Sequential(ReLU(), PickChannels.shuffled(self.channels // self.reduction, self.groups))
        spatial = nn.Sequential(_folded(conv1, norm1), relu, _folded(conv2, norm2), sigmoid)
        return [self.channel_attention, spatial]


def _folded(layer: Any, norm: nn.Module) -> nn.Module:
    """Returns a convolution, or two in a row, with the batch norm behind it folded into the last."""
    return nn.Sequential(layer[0], fold(layer[1], norm)) if isinstance(layer, nn.Sequential) else fold(layer, norm)


INFO = AttentionInfo(
    name="GAM",
    cls=GAM,
    kind="channel and spatial",
    title="full-size channel gate per pixel, then two 7×7 convolutions",
    paper="2112.05561",
    year=2021,
    positional=("reduction",),
    or_true=("rank",),
    aliases=("GAM_Attention", "GAMAttention", "GAMAtt", "GlobalAttention"),
)
