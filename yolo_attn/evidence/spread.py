"""How far the values of each gate spread over a data set; a gate that is the same for every image is a dead one."""

import contextlib
import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from yolo_attn.nn import Attention, Deployed
from yolo_attn.nn.base import DeployedTransform

NEAR = 0.05  # of 0 and of 1
STILL = 1e-3  # the deviation below which a gate does not move


@dataclass
class Spread:
    """The values of a layer's gates, over all images, positions and channels: of their product, as maps are multiplied.

    `dead` names the gates that do not move with the image: "spatial 0.73", or "channel, always 0.20 to 0.81" of one
    that differs between channels.
    """

    mean: float
    deviation: float
    near_0: float  # the share of values that are no further than NEAR from 0
    near_1: float
    dead: list[str]


class Watch:
    """Counts what the gates of one layer do, image after image."""

    def __init__(self, names: list[str]):
        self.names = names
        self.values = self.near_0 = self.near_1 = 0
        self.total = self.squares = 0.0
        self.sums: dict[int, list[Any]] = {}  # of each gate: images, sums and squares of its values, by channel
        self.product: torch.Tensor | None = None
        self.still_to_come = len(names)
        self.paused = False

    def see(self, gate: int, values: torch.Tensor) -> None:
        """Takes in what a gate gave for a batch, `(N, C, H, W)` or broadcastable to it."""
        if self.paused:
            return
        exact = values.detach().cpu().double()
        self._moves(gate, exact)
        self.product = exact if self.product is None else self.product * exact
        self.still_to_come -= 1
        if self.still_to_come:
            return
        product, self.product, self.still_to_come = self.product, None, len(self.names)
        self.values += product.numel()
        self.total += float(product.sum())
        self.squares += float((product**2).sum())
        self.near_0 += int((product.abs() <= NEAR).sum())
        self.near_1 += int(((product - 1).abs() <= NEAR).sum())

    def _moves(self, gate: int, values: torch.Tensor) -> None:
        """Sums up each channel's values over images, and over positions where the gate has several."""
        by_channel = values.transpose(0, 1).flatten(1)
        sums = self.sums.setdefault(gate, [0, 0.0, 0.0])
        for i, more in enumerate((by_channel.shape[1], by_channel.sum(1), (by_channel**2).sum(1))):
            sums[i] = sums[i] + more

    def spread(self) -> Spread | None:
        """Returns how far the values spread; None of a layer without gates."""
        if not self.values:
            return None
        mean = self.total / self.values
        deviation = max(self.squares / self.values - mean**2, 0.0) ** 0.5
        dead = [said for gate, name in enumerate(self.names) if (said := self._dead(gate, name))]
        return Spread(mean, deviation, self.near_0 / self.values, self.near_1 / self.values, dead)

    def _dead(self, gate: int, name: str) -> str:
        count, sums, squares = self.sums[gate]
        means = sums / count
        if ((squares / count - means**2).clamp(min=0) > STILL**2).any():
            return ""
        least, most = float(means.min()), float(means.max())
        return f"{name} {least:.2f}" if most - least < STILL else f"{name}, always {least:.2f} to {most:.2f}"


@contextlib.contextmanager
def watched(layer: nn.Module, names: list[str]) -> Iterator[Watch]:
    """Watches the gates of an attention layer, as it is trained or in its deploy form, while it runs in the block.

    Args:
        layer: The layer.
        names: The names of its gates, in their order; none of a layer that is no gate.
    """
    while isinstance(layer, DeployedTransform):  # somebody's own operator, in whatever form it gave itself
        layer = layer.transform
    watch, handles = Watch(names), []
    if isinstance(layer, Attention) and names:
        gates = layer.blended_gates

        def seen(gate: int, function: Callable, x: torch.Tensor) -> torch.Tensor:
            watch.see(gate, values := function(x))
            return values

        blended = [functools.partial(seen, i, gate) for i, gate in enumerate(gates())]
        layer.__dict__["blended_gates"] = lambda: blended  # hides the class's method until it is taken out
    elif isinstance(layer, Deployed):
        for i, gate in enumerate(layer.gates):
            handles.append(gate.register_forward_hook(lambda module, inputs, output, i=i: watch.see(i, output)))
    try:
        yield watch
    finally:
        layer.__dict__.pop("blended_gates", None)
        for handle in handles:
            handle.remove()
