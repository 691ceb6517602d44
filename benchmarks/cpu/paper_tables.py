"""Counts parameters and multiply-accumulates of every operator where its paper puts it, beside the published counts.

    python -m benchmarks.cpu.paper_tables        # writes benchmarks/cpu/paper_tables.md; a test renders it again

Nothing is computed: the networks are torchvision's on the meta device. Published figures stand in published.csv, only
with the place they were read at; a figure that nobody looked up is said to be missing, not filled in from memory.
authors.csv has the parameters of the authors' own classes, built and counted at 256 channels.
"""

import copy
import csv
from collections.abc import Callable, Iterator
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import torch
import yaml
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import arguments
from benchmarks.cpu.networks import BASES, PLACEMENTS
from yolo_attn import registry

FILE = Path(__file__).with_suffix(".md")
MISSING = "not verified here"


class Passes(TorchDispatchMode):
    """Counts elements that go into a pooling and come out of an element-wise product: one operation each."""

    POOLS = ("mean", "sum", "amax", "max", "linalg_vector_norm", "_adaptive_avg_pool2d", "max_pool2d_with_indices")

    def __init__(self):
        super().__init__()
        self.elements = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        name = function.overloadpacket.__name__
        if name in self.POOLS:
            self.elements += args[0].numel()
        elif name == "mul":
            self.elements += result.numel()
        return result


class Count(NamedTuple):
    """What a network costs: parameters, multiply-accumulates of convolutions and matrix products, and passes."""

    parameters: int
    products: int
    passes: int


def count(model: nn.Module, *shape: int) -> Count:
    """Returns the cost of `model` in evaluation on an input of `shape`; on the meta device nothing is computed."""
    model = copy.deepcopy(model).to("meta").eval()
    x = torch.empty(shape, device="meta")
    with torch.no_grad(), FlopCounterMode(display=False) as products, Passes() as passes:
        model(x)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    return Count(parameters, products.get_total_flops() // 2, passes.elements)


class Row(NamedTuple):
    """A row of published.csv: one network with one operator, what is published about it, and where."""

    name: str
    operator: str
    options: str  # as in a model YAML; a list has one value a stage
    placement: str
    where: str
    parameters: str  # published, in millions, as printed there
    macs: str  # published, in 10⁹, as printed there
    million: str  # what the source calls a million
    source: str
    why: str

    def put_into(self, model: nn.Module) -> nn.Module:
        """Returns the network with the operator where the row says."""
        if not self.operator:
            return model
        operator, options = registry.get(self.operator).cls, yaml.safe_load(self.options or "{}")

        def build(channels: int, stage: int = 0) -> nn.Module:
            at = {key: value[stage] if isinstance(value, list) else value for key, value in options.items()}
            return operator(channels, **at)

        return PLACEMENTS[self.placement](build, model)


def read(name: str) -> Iterator[list[str]]:
    """Yields the rows of a CSV file beside this one, without its head."""
    with Path(__file__).with_name(name).open(newline="", encoding="utf-8") as stream:
        next(stream)
        yield from csv.reader(stream)


NETWORKS = tuple(  # each network's title, what builds it, and the rows about it
    (*BASES[name], tuple(Row(*row[1:]) for row in rows))
    for name, rows in groupby(read("published.csv"), key=lambda row: row[0])
)
AUTHORS = dict(read("authors.csv"))

HEAD = """\
# Parameters and multiply-accumulates, ours and published

Written by `python -m benchmarks.cpu.paper_tables`; a test renders it again. One image, 224×224 unless said otherwise.

- **M** is 10⁶ parameters, **G** is 10⁹ multiply-accumulates (MACs). Ultralytics prints GFLOPs: twice the MACs.
- *MACs* counts convolutions, linear layers and matrix products, no batch norm, activation or addition. *With passes*
  adds, for the operators, one for each element that is pooled or multiplied, as many papers count.
- *Published* is followed by ✓ where ours, rounded alike, is the same by one of the two counts.
- "not verified here": no figure was read at a source that could be named. None is filled in from memory.
"""


class Line(NamedTuple):
    """A row with its counts."""

    row: Row
    counted: Count
    passes: int  # of the operator, without the network's own

    @property
    def parameters_agree(self) -> bool:
        return same(self.row.parameters, self.counted.parameters / int(self.row.million or 1e6))

    @property
    def macs_agree(self) -> bool:
        products = self.counted.products
        return any(same(self.row.macs, macs / 1e9) for macs in (products, products + self.passes))

    def render(self) -> str:
        """Returns the row of the Markdown table."""
        row, macs = self.row, self.counted.products / 1e9
        published = (self.published(row.parameters, self.parameters_agree), self.published(row.macs, self.macs_agree))
        cells = (
            row.name, row.where, f"{self.counted.parameters / 1e6:.4f}", published[0], f"{macs:.4f}",
            f"{macs + self.passes / 1e9:.4f}", published[1], row.source or MISSING, row.why,
        )  # fmt: skip
        return f"| {' | '.join(cells)} |"

    def published(self, figure: str, agrees: bool) -> str:
        return f"{figure} {'✓' if agrees else '✗'}" if figure else "–"


def same(published: str, ours: float) -> bool:
    """Returns whether `ours`, written with as many digits, reads as published."""
    digits = len(published.partition(".")[2])
    return bool(published) and f"{ours:.{digits}f}" == published


@cache
def lines(build: Callable[[], nn.Module], rows: tuple[Row, ...]) -> list[Line]:
    """Returns the rows of one network, counted."""
    with torch.device("meta"):
        networks = [build(), *(row.put_into(build()) for row in rows)]
    plain, *counts = (count(network, 1, 3, 224, 224) for network in networks)
    return [Line(row, counted, counted.passes - plain.passes) for row, counted in zip(rows, counts, strict=True)]


def render() -> str:
    """Returns the document."""
    parts = [HEAD]
    for title, build, rows in NETWORKS:
        columns = ("operator", "where", "M", "published", "MACs, G", "with passes", "published", "source", "remarks")
        parts.append(f"## {title}\n")
        parts.append(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
        parts.append("\n".join(line.render() for line in lines(build, rows)) + "\n")
    parts.append("## The operators by themselves, 256 channels on 20×20\n")
    parts.append("| operator | parameters | the authors' class | MACs, 10⁶ | with passes |\n|---|---|---|---|---|")
    for info in registry.OPERATORS:
        counted = count(info.cls(256), 1, 256, 20, 20)
        authors = AUTHORS.get(info.name)
        theirs = f"{authors} {'✓' if int(authors) == counted.parameters else '✗'}" if authors else MISSING
        both = f"{counted.products / 1e6:.4f} | {(counted.products + counted.passes) / 1e6:.4f}"
        parts.append(f"| {info.name} | {counted.parameters} | {theirs} | {both} |")
    return "\n".join(parts) + "\n"


def main() -> None:
    arguments.parser(__doc__).parse_args()
    text = render()
    FILE.write_text(text, encoding="utf-8")
    print(text)
    print(f"written to {FILE}")


if __name__ == "__main__":
    main()
