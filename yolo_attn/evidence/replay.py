"""A part of a network run again: the rows before it give what they gave the last time."""

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any

from torch import nn


class Replay:
    """A network's rows, which remember their outputs whenever the whole of it runs.

    Only those are kept that rows behind need: what `save` names, and the row in front of each of `starts`.
    """

    def __init__(self, network: Any, starts: Iterable[int]):
        self.rows: nn.Sequential = network.model
        starts = set(starts)
        self.needed = {i for i in (*network.save, *(start - 1 for start in starts)) if i < max(starts, default=0)}
        self.kept: dict[int, Any] = {}
        self.replaying = False
        for i in self.needed:
            if i >= 0:
                self.rows[i].register_forward_hook(self._keeper(i))

    def _keeper(self, i: int):
        def keep(module: nn.Module, inputs: tuple, output: Any) -> None:
            if not self.replaying:
                self.kept[i] = output

        return keep

    @contextlib.contextmanager
    def from_row(self, start: int) -> Iterator[None]:
        """Lets the network run from row `start` on, on what it was given the last time."""
        self.replaying = True
        methods = [vars(self.rows[i]).get("forward") for i in range(start)]  # a fused row has one of its own
        for i in range(start):
            self.rows[i].forward = _giving(self.kept.get(i))
        try:
            yield
        finally:
            for i, method in enumerate(methods):
                del self.rows[i].forward
                if method is not None:
                    self.rows[i].forward = method
            self.replaying = False


def _giving(output: Any):
    return lambda *inputs, **arguments: output
