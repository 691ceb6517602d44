"""Which base a hand-edited model was made from, and where each of the base's rows stands in it.

People open a base's YAML, put rows in, take a block out or write another one in its place. The rows are aligned by
their modules alone, so neither arguments nor numbers matter: those are what `yolo_attn.surgery.wiring` then compares.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from yolo_attn import registry
from yolo_attn.surgery.alignment import best_alignment
from yolo_attn.surgery.places import CONVOLUTIONS, MERGES
from yolo_attn.surgery.recipe import all_rows
from yolo_attn.surgery.rows import split_block

# What an edit costs, in tenths of a row; attention that was put in costs nothing. A model is a base's where its edits
# cost no more than a quarter of the base's rows. To write another block throughout is cheaper than to move a row.
PUT_IN = TAKEN_OUT = 10
OTHER, OTHER_KIND, ATTENTION_FOR_IT = 2, 5, 9
SHARE = 0.25
HEAD = "head"  # the last row's module, whatever it is: Detect and Segment end the same base

Bases = Mapping[tuple[str, ...], Sequence[list[list]]]


class Origin(NamedTuple):
    """What a model was made from.

    Attributes:
        rows: The rows of the base.
        place: The row of the model where each of them stands; those that were taken out are missing.
        certain: Nothing but attention was put in and nothing taken out, so no place is a guess.
    """

    rows: list[list]
    place: dict[int, int]
    certain: bool


def kind(row: list) -> str:
    """Returns a row's module: the block's for `C3_CBAM`, and nothing where the row is attention."""
    if registry.find(row[2]):
        return ""
    split = split_block(row[2])
    return split[0] if split else row[2]


def by_kinds(bases: Iterable[dict]) -> Bases:
    """Returns the rows of model dicts by their modules; several where the same modules read in several ways."""
    found: dict[tuple[str, ...], list[list[list]]] = {}
    for rows in map(all_rows, bases):
        found.setdefault((*(row[2] for row in rows[:-1]), HEAD), []).append(rows)
    return found


def find(model: dict, bases: Bases) -> Origin | None:
    """Returns what `model` was made from, the nearest of `bases`, or None where none is near."""
    rows = all_rows(model)
    mine = _kinds(rows)
    plain = tuple(name for name in mine if name)
    aligned = [(*_align(mine, theirs), theirs) for theirs in ([plain] if plain in bases else bases)]
    cost, place, theirs = min(aligned, key=lambda one: one[0], default=(0, {}, ()))
    if not place or cost > SHARE * TAKEN_OUT * len(theirs):
        return None
    nearest = max(bases[theirs], key=lambda base: sum(base[k][0] == rows[i][0] for k, i in place.items()))
    put_in = any(name for i, name in enumerate(mine) if i not in place.values())
    return Origin(nearest, place, certain=not put_in and len(place) == len(theirs))


def without(model: dict, left_out: Collection[int]) -> Origin:
    """Returns `model` without some of its rows, every number as it stands, as if they had been put in unshifted."""
    rows = all_rows(model)
    kept = [i for i in range(len(rows)) if i not in left_out]
    return Origin([rows[i] for i in kept], dict(enumerate(kept)), certain=False)


def _kinds(rows: list[list]) -> tuple[str, ...]:
    """Returns the modules of a model's rows, the last of which is only the head."""
    kinds = [kind(row) for row in rows]
    return (*kinds[:-1], HEAD if kinds[-1] else "")


def _align(mine: Sequence[str], theirs: Sequence[str]) -> tuple[int, dict[int, int]]:
    """Returns the least cost of the edits that make `theirs` `mine`, and where each of `theirs` stands in `mine`."""
    alone = [PUT_IN if name else 0 for name in mine]
    pairs = ((i, j) for i in range(len(mine)) for j in range(len(theirs)))
    saved = {(i, j): alone[i] + TAKEN_OUT - cost for i, j in pairs if (cost := _cost(mine[i], theirs[j])) is not None}
    found = best_alignment(range(len(mine)), range(len(theirs)), {pair: (gain, 0, 0) for pair, gain in saved.items()})
    cost = sum(alone) + TAKEN_OUT * len(theirs) - sum(saved[pair] for pair in found.items())
    return cost, {j: i for i, j in found.items()}


def _cost(mine: str, theirs: str) -> int | None:
    """Returns what it costs that `mine` stands where `theirs` stood; None where it cannot."""
    if mine == theirs:
        return 0
    if {mine, theirs} & {*MERGES, HEAD}:
        return None
    if not mine:
        return ATTENTION_FOR_IT
    return OTHER if (mine in CONVOLUTIONS) == (theirs in CONVOLUTIONS) else OTHER_KIND
