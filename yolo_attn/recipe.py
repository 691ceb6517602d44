"""Model dicts with attention rows put in: pure functions that renumber every index, and the text of the YAML.

A model dict is what a model YAML loads to: `backbone` and `head` are lists of rows `[from, repeats, module, args]`,
numbered from 0 through both. `from` names earlier rows by number, or counts back from the row itself when negative.
"""

import copy
from collections.abc import Sequence

import yaml

from yolo_attn import registry
from yolo_attn.errors import AttentionError

PLACES = ("backbone", "head")
LEVELS = {8: "P3", 16: "P4", 32: "P5"}  # the pyramid levels that detection uses, by stride
POOLING = {"SPP", "SPPF", "SPPELAN", "C2PSA", "PSA", "C2fPSA", "AIFI"}  # follow a stage's block, are no stage


def insert(model: dict, attention: str, at: str, strides: Sequence[int]) -> dict:
    """Returns a copy of `model` with attention put in.

    Args:
        model: The model dict; it is not changed.
        attention: The operator's name, as in `yolo_attn.names()`.
        at: `backbone`: after the block of each of the stages P3, P4 and P5, for everything that reads it.
            `head`: before each input of the detection head; nothing else reads it.
        strides: Each row's stride in pixels.

    Raises:
        AttentionError: The operator or the place is unknown, or the model has no such place.
    """
    name = registry.get(attention).name
    if at == "backbone":
        rows = backbone_stages(model, strides)
        for row in sorted(rows, reverse=True):  # from the last one, so that the numbers still to come stay right
            model = insert_after(model, row, name)
        return model
    if at == "head":
        return insert_before_head(model, name)
    raise AttentionError(f"unknown place '{at}'; places are {', '.join(PLACES)}")


def backbone_stages(model: dict, strides: Sequence[int]) -> list[int]:
    """Returns the row that ends each of the backbone's stages P3, P4 and P5, before any pooling that follows it.

    Raises:
        AttentionError: The backbone has none of these stages.
    """
    blocks = [i for i, row in enumerate(model["backbone"]) if row[2] not in POOLING]
    last = {strides[i]: i for i in blocks if strides[i] in LEVELS}
    if not last:
        raise AttentionError(f"the backbone has no stage of stride {', '.join(map(str, LEVELS))}")
    return sorted(last.values())


def insert_after(model: dict, row: int, name: str) -> dict:
    """Returns a copy of `model` with an attention row after `row`; whatever read `row` reads the attention."""
    model = _insert(model, row + 1, [-1, 1, name, []])
    rows = _rows(model)
    for reader in range(row + 2, len(rows)):
        _read(rows, reader, row, row + 1)
    return model


def insert_before_head(model: dict, name: str) -> dict:
    """Returns a copy of `model` with an attention row for each input of its last row, right before that row."""
    for target in _targets(_rows(model), len(_rows(model)) - 1):
        head = len(_rows(model)) - 1
        model = _insert(model, head, [target, 1, name, []])
        _read(_rows(model), head + 1, target, head)
    return model


def render(model: dict, strides: Sequence[int], heading: str) -> str:
    """Returns the YAML of `model` with `heading` as comment on top and each row's number, level and role beside it."""
    lines = [f"# {line}".rstrip() for line in heading.splitlines()] + [""]
    for key, value in model.items():
        if key == "scales":
            lines += ["scales: # [depth, width, max_channels]", *(f"  {k}: {_flow(v)}" for k, v in value.items())]
        elif key not in ("backbone", "head"):
            lines.append(f"{key}: {_flow(value)}")
    number = 0
    for part in ("backbone", "head"):
        lines += ["", f"{part}:", "  # [from, repeats, module, args] # row, level/stride"]
        for row in model[part]:
            lines.append(f"  - {_flow(row)} # {_note(row, number, strides[number : number + 1])}")
            number += 1
    return "\n".join(lines) + "\n"


def _note(row: list, number: int, stride: Sequence[int]) -> str:
    level = "".join(f" P{s.bit_length() - 1}/{s}" for s in stride)
    return f"{number}{level}{' attention' if registry.find(row[2]) else ''}"


def _flow(value) -> str:
    return yaml.safe_dump(value, default_flow_style=True, width=1000).removesuffix("...\n").strip()


def _rows(model: dict) -> list:
    return [*model["backbone"], *model["head"]]


def _targets(rows: list, i: int) -> list[int]:
    """Returns the numbers of the rows that row `i` reads; -1 is the network's input."""
    f = rows[i][0]
    return [x if x >= 0 else i + x for x in (f if isinstance(f, list) else [f])]


def _insert(model: dict, position: int, row: list) -> dict:
    """Returns a copy of `model` with `row` at `position`; every other row reads what it read."""
    model = copy.deepcopy(model)
    rows = _rows(model)
    targets = [_targets(rows, i) for i in range(len(rows))]
    for i, old in enumerate(rows):
        moved = i + (i >= position)
        _set_from(old, moved, [t + (t >= position) for t in targets[i]])
    backbone = len(model["backbone"])
    part, offset = ("backbone", 0) if position <= backbone else ("head", backbone)
    model[part].insert(position - offset, row)
    return model


def _read(rows: list, reader: int, old: int, new: int) -> None:
    """Makes row `reader` read row `new` wherever it read row `old`, in place."""
    _set_from(rows[reader], reader, [new if t == old else t for t in _targets(rows, reader)])


def _set_from(row: list, i: int, targets: list[int]) -> None:
    """Writes the rows that row `i` reads: counted back where it was written so before, by number elsewhere."""
    old = row[0] if isinstance(row[0], list) else [row[0]]
    new = [target - i if before < 0 else target for before, target in zip(old, targets, strict=True)]
    row[0] = new if isinstance(row[0], list) else new[0]
