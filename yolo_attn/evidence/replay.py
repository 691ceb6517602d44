"""A part of a network run again: every other row gives what it gave the last time."""

import contextlib
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from torch import nn


class Replay:
    """A network's rows, which remember their outputs whenever the whole of it runs.

    Only those are kept that are read when one of the `parts` runs again: rows that change, each with all that reads it.
    """

    def __init__(self, network: Any, parts: Iterable[Collection[int]]):
        self.rows: nn.Sequential = network.model
        self.kept: dict[int, Any] = {}
        self.replaying = False
        needed: set[int] = set()
        for part in map(self.readers, parts):
            needed |= {source for i in part for source in self.sources(i)} - part
        for i in needed - {-1}:
            self.rows[i].register_forward_hook(self._keeper(i))

    def sources(self, i: int) -> list[int]:
        """Returns the rows whose outputs row `i` reads; -1 is the network's input."""
        read: Any = self.rows[i].f
        return [i + one if one < 0 else one for one in (read if isinstance(read, list) else [read])]

    def readers(self, rows: Collection[int]) -> set[int]:
        """Returns these rows and all whose outputs hang on them."""
        found = set(rows)
        for i in range(len(self.rows)):
            if not found.isdisjoint(self.sources(i)):
                found.add(i)
        return found

    def _keeper(self, i: int):
        def keep(module: nn.Module, inputs: tuple, output: Any) -> None:
            if not self.replaying:
                self.kept[i] = output

        return keep

    @contextlib.contextmanager
    def only(self, rows: Collection[int]) -> Iterator[None]:
        """Lets the network run these rows and their readers alone, on what the others gave the last time."""
        again = self.readers(rows)
        resting = [row for i, row in enumerate(self.rows) if i not in again]
        methods = [vars(row).get("forward") for row in resting]  # a fused row has one of its own
        self.replaying = True
        for i, row in enumerate(self.rows):
            if i not in again:
                row.forward = _giving(self.kept.get(i))
        try:
            yield
        finally:
            for row, method in zip(resting, methods, strict=True):
                del row.forward
                if method is not None:
                    row.forward = method
            self.replaying = False


def _giving(output: Any):
    return lambda *inputs, **arguments: output
