"""A batch norm of sums over a map, whose running statistics hold for maps of another size and in half precision."""

from collections.abc import Callable
from typing import Any

import torch

from yolo_attn.nn.layers import BatchNorm2d


class MapSize:
    """The pixels of the maps that statistics are of; 0 where they are not known.

    A module and its deep copies have one in common, since Ultralytics trains a module and keeps the moving averages of
    its tensors in a copy, which itself never sees a map in training.
    """

    def __init__(self, pixels: int = 0):
        self.pixels = pixels

    def __deepcopy__(self, memo: dict) -> "MapSize":
        return self


class SumNorm(BatchNorm2d):
    """A batch norm of sums over the pixels of a map, `(N, K, C, 1)`.

    In training it is a batch norm. Its running statistics are of sums brought to the size of the maps that training
    began on, and so are, in evaluation, the sums of a map of another size; where no size is known, sums count as they
    are. The size goes with pickles and deep copies.

    It stays in float32 when its network becomes half, as Ultralytics' checkpoints are: sums over 6400 pixels have
    variances beyond 65504.
    """

    def __init__(self, channels: int):
        super().__init__(channels)
        self.size = MapSize()

    def forward(self, sums: torch.Tensor, pixels: int) -> torch.Tensor:  # type: ignore[override]
        if self.training:
            self.size.pixels = self.size.pixels or pixels
        unit = (self.size.pixels or pixels) / pixels
        # In training eps goes with the unit, so that the result does not depend on it.
        return self.normalise(sums * unit, self.eps * unit**2 if self.training else self.eps)

    def _apply(self, fn: Callable[[torch.Tensor], torch.Tensor], recurse: bool = True) -> Any:
        def single_at_least(tensor: torch.Tensor) -> torch.Tensor:
            moved = fn(tensor)
            return tensor.to(moved.device) if moved.dtype in (torch.float16, torch.bfloat16) else moved

        return super()._apply(single_at_least, recurse)
