"""MLCA, mixed local channel attention."""

from typing import ClassVar

import torch
from torch import nn

from yolo_attn.errors import AttentionError
from yolo_attn.nn.base import Attention
from yolo_attn.nn.eca import kernel_by_formula
from yolo_attn.nn.info import AttentionInfo
from yolo_attn.nn.shared import average_matrix


class MLCA(Attention):
    """ECA twice, on the whole map's means and on those of a coarse grid of its parts; both gates are mixed.

    Wan et al., "Mixed local channel attention for object detection", Engineering Applications of Artificial
    Intelligence 123, 2023, doi 10.1016/j.engappai.2023.106442, figure 4 and the authors' code (wandahangFY/MLCA), whose
    state dicts load: local means on a grid of 5×5, their mean, a convolution over channels on each (k by ECA's
    formula), a sigmoid, (1 − w) · the global gate + w · the local one, and every pixel gets its cell's. The local
    convolution runs over the cells one after another, so at a cell's first and last channels it sees the neighbouring
    cell's, as in their code.

    Start: torch's, as there.

    Args:
        channels: Channels C of the map.
        local_size: Rows and columns of the grid.
        kernel_size: k of both convolutions, odd; by ECA's formula where it is left out.
        local_weight: w, the local gate's share.
    """

    gates: ClassVar = ("mixed_attention",)

    def __init__(self, channels: int, local_size: int = 5, kernel_size: int | None = None, local_weight: float = 0.5):
        super().__init__(channels)
        self.kernel_size = kernel_size = kernel_by_formula(channels) if kernel_size is None else kernel_size
        if local_size < 1:
            raise AttentionError(f"MLCA needs a grid, got local_size {local_size}; set {{local_size: 5}}")
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise AttentionError(f"MLCA needs an odd kernel_size, got {kernel_size}; set {{kernel_size: 3}}")
        if not 0 <= local_weight <= 1:
            raise AttentionError(f"MLCA mixes by a share, got local_weight {local_weight}; set {{local_weight: 0.5}}")
        self.local_size, self.local_weight = local_size, local_weight
        self.conv, self.conv_local = (
            nn.Conv1d(1, 1, kernel_size, padding=kernel_size // 2, bias=False) for _ in range(2)
        )

    def mixed_attention(self, x: torch.Tensor) -> torch.Tensor:
        """`(N, C, H, W)` → `(N, C, H, W)`."""
        return mixed(x, self.conv, self.conv_local, self.local_size, self.local_weight)

    def deploy_gates(self) -> list[nn.Module]:
        return [MixedGate(self.conv, self.conv_local, self.local_size, self.local_weight)]


INFO = AttentionInfo(
    name="MLCA",
    cls=MLCA,
    kind="channel and spatial",
    title="ECA on the whole map and on a grid of its parts",
    paper="",
    year=2023,
    positional=(),
    aliases=("MLCAAttention", "MixedLocalChannelAttention"),
    spellings=(((5,), {}),),
)


def mixed(x: torch.Tensor, conv: nn.Module, conv_local: nn.Module, size: int, share: float) -> torch.Tensor:
    """Returns MLCA's gate. The grid's means, and back to the pixels, are products with matrices of shares."""
    channels, height, width = x.shape[1], x.shape[2], x.shape[3]
    local = average_matrix(height, size, x) @ x @ average_matrix(width, size, x).t()
    whole = conv(local.mean((2, 3)).unsqueeze(1)).sigmoid().reshape(-1, channels, 1, 1)
    cells = conv_local(local.flatten(2).transpose(1, 2).reshape(-1, 1, size * size * channels)).sigmoid()
    cells = cells.reshape(-1, size * size, channels).transpose(1, 2).reshape(-1, channels, size, size)
    both = whole * (1 - share) + cells * share
    return average_matrix(size, height, x) @ both @ average_matrix(size, width, x).t()


class MixedGate(nn.Module):
    """MLCA for inference."""

    def __init__(self, conv: nn.Module, conv_local: nn.Module, size: int, share: float):
        super().__init__()
        self.conv, self.conv_local = conv, conv_local
        self.size, self.share = size, share

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return mixed(x, self.conv, self.conv_local, self.size, self.share)
