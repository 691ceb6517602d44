"""A model dict as a network: what each row reads, which rows nobody reads, and on which levels they are."""

import copy
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property

from yolo_attn.surgery.places import Layer
from yolo_attn.surgery.recipe import all_rows, numbers, sources

From = int | list[int]
Layers = Callable[[dict], Sequence[Layer]]  # what Ultralytics makes of each row of a model dict before the last
TEXT = "ImagePoolingAttn"  # its output is a text, which reaches later rows beside their `from`


class Network:
    """A model's rows, and what follows from their numbers."""

    def __init__(self, model: dict, layers: Layers):
        self.model, self.layers = model, layers
        self.rows = all_rows(model)

    @cached_property
    def read(self) -> list[list[int]]:
        """The rows that each row reads."""
        return [sources(self.rows, i) for i in range(len(self.rows))]

    def is_sound(self) -> bool:
        """Tells whether these are rows, each of which reads earlier ones; -1 is the image."""
        return all(map(_is_row, self.rows)) and all(-1 <= f < i for i, read in enumerate(self.read) for f in read)

    @cached_property
    def strides(self) -> list[int | None] | None:
        """Every output's stride, the last row's left out; None where the network cannot be built or run."""
        try:
            return [layer.stride for layer in self.layers(self.model)]
        except Exception:  # of whatever kind: who builds it afterwards is told
            return None

    @cached_property
    def unread(self) -> list[int]:
        """The rows that no row reads; the last is not among them."""
        read = {source for one in self.read for source in one}
        return [i for i, row in enumerate(self.rows[:-1]) if i not in read and row[2] != TEXT]

    @cached_property
    def head(self) -> list[int]:
        """The strides that the last row reads."""
        strides = self.strides or []
        return [stride for i in self.read[-1] if 0 <= i < len(strides) and (stride := strides[i])]

    @property
    def clashes(self) -> bool:
        """Whether the last row reads two maps of one level."""
        return len(set(self.head)) < len(self.head)

    def faults(self) -> float:
        """Returns what speaks against this wiring: it cannot run, rows that nobody reads, a level read twice."""
        return float("inf") if self.strides is None else len(self.unread) + self.clashes

    def reading(self, reads: Mapping[int, From]) -> "Network":
        """Returns this network with other numbers in the `from` of some rows."""
        rows = [[reads.get(i, row[0]), *copy.deepcopy(row[1:])] for i, row in enumerate(self.rows)]
        border = len(self.model["backbone"])
        return Network({**self.model, "backbone": rows[:border], "head": rows[border:]}, self.layers)


def _is_row(row: object) -> bool:
    """Tells whether a row of a YAML says what it reads and what it is."""
    return (
        isinstance(row, list)
        and len(row) > 2
        and isinstance(row[2], str)
        and len(numbers(row)) > 0
        and all(isinstance(number, int) and not isinstance(number, bool) for number in numbers(row))
    )
