"""CBAM, the convolutional block attention module."""

from typing import ClassVar

import torch
from torch import nn

from yolo_attn.errors import AttentionError
from yolo_attn.nn.base import Attention, hidden_channels, mixed
from yolo_attn.nn.info import AttentionInfo
from yolo_attn.nn.layers import BatchNorm2d, bottleneck, draw_by_fan_out, fold, wide, zero_biases
from yolo_attn.ops.choice import kernels
from yolo_attn.ops.reduce import mean_and_max


class CBAM(Attention):
    """A channel gate from max- and average-pooled features, then a spatial gate from max and mean over channels.

    Woo et al., "CBAM: Convolutional Block Attention Module", ECCV 2018, arXiv 1807.06521, equations 2 and 3:
    Mc = σ(MLP(avgpool F) + MLP(maxpool F)) with one shared MLP, Ms = σ(BN(conv 7×7 ([max; mean] over C))).
    The batch norm stands in the authors' code (Jongchan/attention-module), as do the biases of the MLP.

    Start: as the authors' ResNet starts it, the spatial convolution drawn by its fan-out, biases 0, the spatial batch
    norm's weight 0, so that gate is ½ at first; the MLP, linear layers there, as torch starts it. With
    `start: identity` that weight is 1: a gate that is 1 by its share already need not be constant too.

    Differs from the paper: pooling is a plain reduction instead of adaptive pooling, whose backward pass is not
    deterministic on CUDA. Ultralytics' own `CBAM` is another operator: its channel gate has no max pooling and no
    bottleneck.

    Args:
        channels: Channels C of the map.
        reduction: Ratio of C to the hidden width of the shared MLP.
        kernel_size: Side of the spatial convolution, odd.
    """

    gates: ClassVar = ("channel_attention", "spatial_attention")

    def __init__(self, channels: int, reduction: int = 16, kernel_size: int = 7):
        super().__init__(channels)
        self.reduction, self.kernel_size = reduction, kernel_size
        self.channel_attention = ChannelGate(channels, hidden_channels(channels, reduction, "CBAM"))
        self.spatial_attention = SpatialGate(kernel_size)
        draw_by_fan_out(self.spatial_attention)
        zero_biases(self)
        nn.init.zeros_(self.spatial_attention.norm.weight)  # type: ignore[arg-type]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not kernels("CBAM", x, self.training):
            return super().forward(x)
        from yolo_attn.ops.triton.cbam import cbam

        channel, spatial = self.shares()
        return cbam(
            x,
            lambda mean, maximum: mixed(self.channel_attention.excite(mean, maximum), channel),
            lambda mean, maximum: mixed(self.spatial_attention.excite(mean, maximum), spatial),
        )

    def start_as_identity(self) -> None:
        super().start_as_identity()
        nn.init.ones_(self.spatial_attention.norm.weight)  # type: ignore[arg-type]

    def deploy_gates(self) -> list[nn.Module]:
        self.spatial_attention.fold()
        return [JoinedChannelGate(self.channel_attention.mlp), self.spatial_attention]


INFO = AttentionInfo(
    name="CBAM",
    cls=CBAM,
    kind="channel and spatial",
    title="channel gate from max and mean, then a 7×7 spatial gate",
    paper="1807.06521",
    year=2018,
    positional=("reduction", "kernel_size"),
    aliases=("CBAMBlock", "CBAM_Attention", "CBAMAttention", "CBAMLayer"),
)


class ChannelGate(nn.Module):
    """`(N, C, H, W)` → `(N, C, 1, 1)`: σ(MLP(mean) + MLP(max)), one shared MLP."""

    def __init__(self, channels: int, hidden: int):
        super().__init__()
        self.mlp = bottleneck(channels, hidden)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.excite(*mean_and_max(x, (2, 3), self.training))

    def excite(self, mean: torch.Tensor, maximum: torch.Tensor) -> torch.Tensor:
        """Returns the gate from both statistics, each `(N, C, 1, 1)`."""
        return (self.mlp(mean) + self.mlp(maximum)).sigmoid()


class JoinedChannelGate(nn.Module):
    """The channel gate for inference: both pooled vectors go through the perceptron at once, as two groups of it.

    W₂ a + W₂ b is [W₂ W₂] [a; b], so the second layer adds them up.
    """

    def __init__(self, mlp: nn.Sequential):
        super().__init__()
        first, relu, second = mlp
        assert isinstance(first, nn.Conv2d) and isinstance(second, nn.Conv2d)
        hidden, channels = first.weight.shape[:2]
        joined = nn.Conv2d(2 * channels, 2 * hidden, 1, groups=2), nn.Conv2d(2 * hidden, channels, 1)
        joined[0].load_state_dict({name: torch.cat((value, value)) for name, value in first.state_dict().items()})
        doubled = {"weight": torch.cat((second.weight, second.weight), 1), "bias": 2 * second.bias}  # type: ignore[operator]
        joined[1].load_state_dict(doubled)
        self.mlp = nn.Sequential(joined[0], relu, joined[1]).to(first.weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        pooled = torch.cat((x.mean((2, 3), keepdim=True), x.amax((2, 3), keepdim=True)), 1)
        return self.mlp(pooled).sigmoid()


class SpatialGate(nn.Module):
    """`(N, C, H, W)` → `(N, 1, H, W)`: σ(BN(conv([max; mean] over channels)))."""

    def __init__(self, kernel_size: int):
        super().__init__()
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise AttentionError(f"CBAM needs an odd kernel_size, got {kernel_size}; set {{kernel_size: 7}}")
        self.conv = nn.Conv2d(2, 1, kernel_size, padding=kernel_size // 2, bias=False)
        self.norm: nn.Module = BatchNorm2d(1, momentum=0.01)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.excite(*mean_and_max(x, (1,), self.training))

    def excite(self, mean: torch.Tensor, maximum: torch.Tensor) -> torch.Tensor:
        """Returns the gate from both statistics, each `(N, 1, H, W)`."""
        return wide(lambda pooled: self.norm(self.conv(pooled)).sigmoid(), torch.cat((maximum, mean), 1))

    def fold(self) -> None:
        """Folds the batch norm into the convolution, in place."""
        self.conv, self.norm = fold(self.conv, self.norm), nn.Identity()
