"""What is compared: the base, the models with attention, and the controls that make the comparison fair."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from yolo_attn.errors import AttentionError

LETTERS = "tnsmbclex"  # of all families' scales, from the smallest on
OTHERS = 1000  # the first seed of the base's further runs
BASE, AGAIN, ATTENTION, SCALE, WIDE = "base", "again", "attention", "next scale", "wide"


class Cell(NamedTuple):
    """One model of a comparison: its folder's name, what `yolo train model=` gets, and what it is here for."""

    name: str
    model: str
    role: str

    def seeds(self, count: int) -> range:
        """Returns its seeds; the base's further runs have others, which shows how much a seed alone moves."""
        return range(OTHERS, OTHERS + count) if self.role == AGAIN else range(count)


def base_of(base: str) -> Cell:
    """Returns the cell of the base: of a checkpoint, of the YAML that it was made of.

    Raises:
        AttentionError: It is neither.
    """
    path = Path(base)
    if path.suffix not in (".yaml", ".yml", ".pt"):
        raise AttentionError(f"base={base} is no model: write base={path.name or 'yolo11n'}.yaml, or a checkpoint")
    model = path.with_suffix(".yaml") if path.suffix == ".pt" else path
    return Cell(path.stem, str(model), BASE)


def with_attention(base: Cell, words: str) -> list[Cell]:
    """Returns a cell for each of the words of `attention=`: `cbam`, `eca-P5`, a model's own YAML; `none` is the base.

    Raises:
        AttentionError: There is none, or one stands there twice.
    """
    cells = []
    for word in filter(None, (word.strip() for word in words.strip("[]").split(","))):
        if word.lower() == "none":
            continue
        own = word.endswith((".yaml", ".yml"))
        model = word if own else str(Path(base.model).with_name(f"{Path(base.model).stem}-{word}.yaml"))
        cells.append(Cell(Path(model).stem, model, ATTENTION))
    names = [base.name, *(cell.name for cell in cells)]
    if twice := {name for name in names if names.count(name) > 1}:
        raise AttentionError(
            f"attention={words} has {', '.join(sorted(twice))} twice: two equal models are no comparison"
        )
    if not cells:
        raise AttentionError(f"attention={words} names nothing to compare: write attention=cbam,eca-P5")
    return cells


def again(base: Cell) -> Cell:
    """Returns the base with other seeds."""
    return Cell(f"{base.name}-again", base.model, AGAIN)


def next_scale(base: Cell, exists: Callable[[str], bool]) -> Cell | None:
    """Returns the base one scale larger, `yolo11s` of `yolo11n`; None for the largest and for a base without scales.

    Args:
        base: The base.
        exists: Tells whether there is a model of a name.
    """
    path = Path(base.model)
    if found := re.match(rf"(yolo[a-z]*-?v?\d+|rtdetr-)([{LETTERS}])(?![a-z])", path.stem):
        for letter in LETTERS[LETTERS.index(found[2]) + 1 :]:
            larger = f"{found[1]}{letter}{path.stem[found.end() :]}"
            model = str(path.with_name(f"{larger}{path.suffix}"))
            if exists(model):
                return Cell(larger, model, SCALE)
    return None
