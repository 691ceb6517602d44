"""FcaNet, frequency channel attention."""

import math
from typing import ClassVar

import torch
from torch import nn

from yolo_attn.errors import AttentionError
from yolo_attn.nn.base import Attention, hidden_channels
from yolo_attn.nn.info import AttentionInfo
from yolo_attn.nn.layers import bottleneck, wide
from yolo_attn.nn.shared import at_least_float32, average_matrix

# The paper's ranking of the 49 two-dimensional frequencies of a 7×7 map by the accuracy each gives alone (vertical,
# horizontal), best first. The first, (0, 0), is the mean: SE.
RANKING = (
    *((0, 0), (0, 1), (6, 0), (0, 5), (0, 2), (1, 0), (1, 2), (4, 0)),
    *((5, 0), (1, 6), (3, 0), (0, 4), (0, 6), (0, 3), (3, 5), (2, 2)),
    *((4, 6), (6, 3), (3, 3), (5, 3), (5, 5), (2, 1), (6, 1), (5, 2)),
    *((5, 4), (3, 2), (3, 1), (4, 1), (2, 3), (2, 0), (6, 5), (1, 3)),
)


class FcaNet(Attention):
    """SE with more than the mean: each group of channels is summed up by another frequency of the cosine transform.

    Qin et al., "FcaNet: Frequency Channel Attention Networks", ICCV 2021, arXiv 2012.11879:
    σ(W2 ReLU(W1 f)), f_c = Σ x_c[h, w] · cos(π u (h + ½) / S) · cos(π v (w + ½) / S) on the map pooled to S×S, with the
    orthonormal factors of the authors' code (cfzd/FcaNet): 1/√S, and √2 more for a frequency above 0. So f of the group
    (0, 0) is S times the mean.

    A map of any size is pooled to S×S as the authors do it, by adaptive averages; here pooling and transform are one
    pair of matrices made from H and W, so any size exports. On a 1×1 map every frequency but (0, 0) is 0.

    Differs from the paper: the authors demand that the number of frequencies divides C. Channel c takes frequency
    ⌊c · n / C⌋, so group sizes differ by at most one; where it divides, the groups are the authors'. With fewer
    channels than frequencies, each channel has its own, best first. Nothing of the transform is stored.

    Start: torch's, as in the authors' code, where the perceptron is of linear layers and only convolutions are drawn.

    Args:
        channels: Channels C of the map.
        frequencies: n, how many of the best-ranked frequencies; 1 to 32.
        reduction: Ratio of C to the hidden width of the perceptron.
        size: S, at least 7. From 14 on the frequencies are doubled, from 21 tripled, as the authors do. Their
            classifiers have 56 to 7 by stage; elsewhere they recommend 7.
    """

    gates: ClassVar = ("channel_attention",)
    frequency: torch.Tensor

    def __init__(self, channels: int, frequencies: int = 16, reduction: int = 16, size: int = 7):
        super().__init__(channels)
        if not 1 <= frequencies <= len(RANKING):
            raise AttentionError(
                f"FcaNet knows 1 to {len(RANKING)} frequencies, got {frequencies}; set {{frequencies: 16}}"
            )
        if size < 7:
            raise AttentionError(f"FcaNet's frequencies need a size of 7 or more, got {size}; set {{size: 7}}")
        self.frequencies, self.reduction, self.size = frequencies, reduction, size
        self.mlp = bottleneck(channels, hidden_channels(channels, reduction, "FcaNet"), bias=False)
        groups = min(frequencies, channels)
        chosen = torch.tensor([RANKING[channel * groups // channels] for channel in range(channels)])
        self.register_buffer("frequency", chosen.t() * (size // 7), persistent=False)

    def channel_attention(self, x: torch.Tensor) -> torch.Tensor:
        """`(N, C, H, W)` → `(N, C, 1, 1)`."""
        return wide(self.excite, x)

    def excite(self, x: torch.Tensor) -> torch.Tensor:
        """Returns the gate; a coefficient may be seven times the largest number of the map."""
        # Made anew in each call, so that it is exact in float64 and float32 alike: C × S cosines.
        table = cosines(self.frequency, self.size, at_least_float32(x)).to(x.dtype)
        return self.mlp(transform(x, table)).sigmoid()

    def deploy_gates(self) -> list[nn.Module]:
        table = cosines(self.frequency, self.size, next(self.mlp.parameters()).dtype)
        return [SpectralGate(table, nn.Sequential(*self.mlp, nn.Sigmoid()))]


INFO = AttentionInfo(
    name="FcaNet",
    cls=FcaNet,
    kind="channel",
    title="SE on many cosine frequencies instead of the mean",
    paper="2012.11879",
    year=2021,
    positional=("reduction",),
    aliases=("Fca", "FcaLayer", "FcaAttention", "MultiSpectralAttentionLayer"),
)


class SpectralGate(nn.Module):
    """FcaNet for inference: the same with the cosines stored, 2 · C · S numbers."""

    table: torch.Tensor

    def __init__(self, table: torch.Tensor, mlp: nn.Module):
        super().__init__()
        self.register_buffer("table", table)
        self.mlp = mlp

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.mlp(transform(x, self.table))


def cosines(frequency: torch.Tensor, size: int, dtype: torch.dtype) -> torch.Tensor:
    """Returns the `(2, C, size)` cosines of each channel's vertical and horizontal `frequency`, `(2, C)`."""
    position = torch.arange(size, device=frequency.device, dtype=dtype) + 0.5
    frequency = frequency.unsqueeze(2).to(dtype)
    norm = ((1 + (frequency > 0).to(dtype)) / size).sqrt()
    return norm * (frequency * position * (math.pi / size)).cos()


def transform(x: torch.Tensor, table: torch.Tensor) -> torch.Tensor:
    """Returns each channel's coefficient, `(N, C, 1, 1)`: row cosines · pooling · map · pooling · column cosines."""
    size = table.shape[2]
    rows = table[0] @ average_matrix(x.shape[2], size, x)
    columns = table[1] @ average_matrix(x.shape[3], size, x)
    return rows.unsqueeze(1) @ (x @ columns.unsqueeze(2))
