"""A comparison: its folder, its models and seeds, and what was asked for when it began."""

import json
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from yolo_attn.errors import AttentionError
from yolo_attn.evidence.cells import AGAIN, ATTENTION, BASE, Cell
from yolo_attn.evidence.ledger import Run
from yolo_attn.export.staging import beside

FILE = "comparison.json"
OURS = ("model", "seed", "project", "name", "exist_ok", "resume", "save_dir", "val")  # what a comparison sets itself
FIXED = {"data": "data", "epochs": "epochs", "margin": "margin", "arguments": "the other arguments"}


@dataclass(frozen=True)
class Comparison:
    """What is trained, and below which folder. `arguments` are those of every training; `margin` is in points.

    `extended` has a line for each time that models or seeds were added after it had begun.
    """

    folder: Path
    cells: tuple[Cell, ...]
    seeds: int
    epochs: int
    margin: float
    data: str
    arguments: dict[str, Any]
    missing: tuple[str, ...] = ()  # controls that are not there, and why
    extended: tuple[str, ...] = field(default=())

    @property
    def base(self) -> Cell:
        return next(cell for cell in self.cells if cell.role == BASE)

    @property
    def compared(self) -> list[Cell]:
        """The models with attention: those that the correction counts."""
        return [cell for cell in self.cells if cell.role == ATTENTION]

    @property
    def training(self) -> dict[str, Any]:
        """What every training gets. None ends early by itself unless that was asked for."""
        return {"patience": self.epochs, "plots": False, **self.arguments, "data": self.data, "epochs": self.epochs}

    def runs_of(self, cell: Cell) -> list[Run]:
        return [Run(self.folder, cell, seed) for seed in cell.seeds(self.seeds)]

    def runs(self) -> list[Run]:
        """Returns all runs in their order: the base's first, so that its noise is known, then seed by seed."""
        first = [cell for cell in self.cells if cell.role in (BASE, AGAIN)]
        rest = [cell for cell in self.cells if cell not in first]
        by_seed = [of_one for group in (first, rest) for of_one in zip(*map(self.runs_of, group), strict=True)]
        return [run for of_one in by_seed for run in of_one]

    def save(self) -> None:
        """Writes down what was asked for."""
        self.folder.mkdir(parents=True, exist_ok=True)
        said = asdict(self) | {"folder": ""}  # wherever it is moved
        with beside(self.folder / FILE) as folder:
            (folder / FILE).write_text(json.dumps(said, indent=1), encoding="utf-8")
            (folder / FILE).replace(self.folder / FILE)


def load(folder: Path) -> Comparison | None:
    """Returns the comparison that a folder has; None where it has none."""
    file = folder / FILE
    if not file.is_file():
        return None
    try:
        said = json.loads(file.read_text(encoding="utf-8"))
        cells = tuple(Cell(*cell) for cell in said.pop("cells"))
        missing, extended = tuple(said.pop("missing")), tuple(said.pop("extended"))
        return Comparison(**said | {"folder": folder}, cells=cells, missing=missing, extended=extended)
    except (ValueError, TypeError, KeyError):
        raise AttentionError(f"{file} is no comparison's: name another folder, name=…") from None


def joined(asked: Comparison) -> Comparison:
    """Returns what was asked for together with what the folder has: nothing that was begun is left out of a report.

    Raises:
        AttentionError: The folder's trainings are others: they could not be compared.
    """
    before = load(asked.folder)
    if before is None:
        return asked
    if (before.base.name, before.base.model) != (asked.base.name, asked.base.model):
        raise AttentionError(f"{asked.folder} compares with {before.base.model}: give this comparison a name=…")
    for name, label in FIXED.items():
        if (was := getattr(before, name)) != (now := getattr(asked, name)):
            raise AttentionError(
                f"{asked.folder} was begun with {label} {_short(was)}, not {_short(now)}: repeat them, or give this "
                "comparison a name=…"
            )
    names = {cell.name for cell in before.cells}
    new = tuple(cell for cell in asked.cells if cell.name not in names)
    added = [f"{cell.name}" for cell in new]
    if asked.seeds > before.seeds:
        added.append(f"seeds {before.seeds} to {asked.seeds - 1}")
    extended = before.extended
    if added:
        extended += (f"{datetime.now():%Y-%m-%d %H:%M}: {', '.join(added)}",)
    seeds = max(asked.seeds, before.seeds)
    return replace(asked, cells=before.cells + new, seeds=seeds, extended=extended)


def _short(value: Any) -> str:
    return " ".join(f"{k}={v}" for k, v in value.items()) or "none" if isinstance(value, dict) else str(value)
