"""What is known of a run from its folder, which is Ultralytics' own: the folders are the ledger.

runs/compare/NAME/CELL/seed0/   args.yaml, results.csv, weights/ and whatever Ultralytics writes
    predictions/                what `yolo val save_json=True` wrote of last.pt
    done.json, failed.txt       written last, whole or not at all
"""

import csv
import json
import math
import shutil
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from yolo_attn.archive import is_whole
from yolo_attn.evidence.cells import Cell
from yolo_attn.export.staging import beside

# Points of accuracy that a task's results.csv has, the first of them that is there.
METRICS = (
    "metrics/mAP50-95(M)", "metrics/mAP50-95(P)", "metrics/mAP50-95(B)", "metrics/accuracy_top1", "metrics/mIoU",
    "metrics/delta1",
)  # fmt: skip


class State(Enum):
    """What is to be done about a run."""

    NEW = "new"
    BEGUN = "begun"  # its last.pt is whole
    TRAINED = "trained"  # every epoch is in
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True)
class Run:
    """One cell with one seed, in its folder below the comparison's."""

    comparison: Path
    cell: Cell
    seed: int

    def __str__(self) -> str:
        return f"{self.cell.name} seed {self.seed}"

    @property
    def folder(self) -> Path:
        return self.comparison / self.cell.name / f"seed{self.seed}"

    @property
    def last(self) -> Path:
        return self.folder / "weights" / "last.pt"

    @property
    def log(self) -> Path:
        """What its processes have said, beside the folder, which a run that begins anew removes."""
        return self.folder.with_suffix(".txt")

    def state(self, epochs: int) -> State:
        """Returns how far it is. `epochs` are those that it was planned for; it may have ended earlier by itself."""
        if (self.folder / "done.json").is_file():
            return State.DONE
        if (self.folder / "failed.txt").is_file():
            return State.FAILED
        if not self.last.is_file() or not self.rows():
            return State.NEW
        if not is_whole(self.last):  # killed while it was written
            return State.NEW
        if max(self.rows()) >= epochs:
            return State.TRAINED
        try:
            return State.TRAINED if _has_ended(self.last) else State.BEGUN
        except Exception:  # whatever torch makes of a file that is being written while somebody looks
            return State.NEW

    def rows(self) -> dict[int, dict[str, float]]:
        """Returns what its results.csv says of each epoch; the last of one that was run before and after a kill."""
        found: dict[int, dict[str, float]] = {}
        try:
            with (self.folder / "results.csv").open(encoding="utf-8") as stream:
                for row in csv.DictReader(stream, skipinitialspace=True):
                    if None not in row.values():  # a kill cuts the last line off
                        values = {key.strip(): float(value) for key, value in row.items() if key}
                        found[int(values["epoch"])] = values
        except (FileNotFoundError, ValueError):
            pass
        return found

    def curve(self) -> dict[int, float]:
        """Returns its accuracy after each epoch, in points."""
        return {epoch: 100 * accuracy(row) for epoch, row in self.rows().items()}

    def why_failed(self) -> str:
        """Returns the reason that was written down; nothing where it has not failed."""
        file = self.folder / "failed.txt"
        return file.read_text(encoding="utf-8").strip() if file.is_file() else ""

    def said(self) -> dict:
        """Returns what was written down when it was done."""
        return json.loads((self.folder / "done.json").read_text(encoding="utf-8"))

    def finish(self, said: dict) -> None:
        """Writes down that it is done, and what there is to say of it."""
        _write(self.folder / "done.json", json.dumps(said))

    def fail(self, reason: str) -> None:
        """Writes down why it failed."""
        self.folder.mkdir(parents=True, exist_ok=True)
        _write(self.folder / "failed.txt", reason + "\n")

    def clear(self) -> None:
        """Removes what there is of a run that begins anew."""
        shutil.rmtree(self.folder, ignore_errors=True)


def accuracy(row: dict[str, float]) -> float:
    """Returns the accuracy of an epoch, 0 to 1, by its task's metric; NaN where there is none."""
    return next((row[name] for name in METRICS if name in row), math.nan)


def diverged(run: Run) -> str:
    """Returns why the numbers of a run are none; nothing where they are."""
    rows = run.rows()
    broken = [epoch for epoch, row in rows.items() if not all(math.isfinite(v) for k, v in row.items() if "loss" in k)]
    if broken:
        return f"diverged: its loss is no number after epoch {min(broken)}"
    if not rows or not math.isfinite(accuracy(rows[max(rows)])):
        return "diverged: its accuracy is no number"
    return ""


def _write(file: Path, text: str) -> None:
    """Writes a file, whole or not at all."""
    with beside(file) as folder:
        (folder / file.name).write_text(text, encoding="utf-8")
        (folder / file.name).replace(file)


def _has_ended(checkpoint: Path) -> bool:
    """Tells whether a training wrote its checkpoint at its end, maybe before its last epoch (`patience`)."""
    import torch

    return torch.load(checkpoint, map_location="cpu", weights_only=False).get("epoch") == -1
