"""A network, a worse one and an equal one, and pictures labelled with what the first one finds."""

from pathlib import Path
from typing import NamedTuple

from tests.support import self_labelled, yamls

OPERATOR = Path(__file__).parent / "own" / "dimmed.py"  # for YOLO_ATTN_OPERATORS


class Made(NamedTuple):
    """The checkpoint of the base, the YAMLs of the models beside it, and the set's YAML."""

    base: Path
    dimmed: Path
    same: Path
    data: str


def make(folder: Path) -> Made:
    """Writes them into a folder."""
    base, data = self_labelled.make("detect", folder, aside=False)
    return Made(base, with_row(base, "paper"), with_row(base, "identity"), data)


def with_row(base: Path, start: str) -> Path:
    """Writes the base's YAML with a gate of 0.2 behind its first row, in use from the start or after identity."""
    rows = yamls.read(base.with_suffix(".yaml"))
    rows["backbone"].insert(1, [-1, 1, "Dimmed", [{"start": start}]])
    rows["head"][-1][0] = [row + 1 for row in rows["head"][-1][0]]
    file = base.with_name(f"{start}.yaml")
    yamls.write(file, rows)
    return file
