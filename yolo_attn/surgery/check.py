"""Whether a model dict can be a model at all: what Ultralytics would answer with a traceback is one line here.

What its numbers mean, which modules there are and what they take is not looked at: Ultralytics knows that.
"""

import math
import re
from collections.abc import Mapping
from typing import Any

from yolo_attn.errors import AttentionError, cut, shown
from yolo_attn.surgery.forms import PARTS, normal
from yolo_attn.surgery.rows import is_number, is_whole

ACTIVATION = re.compile(r"(torch\.)?nn\.[A-Z]\w*\(([\w.=, '\"-]*)\)")
ROW = "[from, repeats, module, args]"
MOST_REPEATS = 1000  # of a row; the largest base has 12, and each is a module to build
MOST_ITEMS, MOST_LEVELS, MOST_LETTERS = 16, 4, 300  # in a message: YAML's `&` and `*` make a line an endless list


def prepared(model: Mapping) -> tuple[dict[str, Any], list[str]]:
    """Returns a copy of a model dict in the form that is built, and a line for each thing that was left out of it.

    Raises:
        AttentionError: It can be no model; the message names file, row and mend.
    """
    if not isinstance(model, Mapping):
        raise AttentionError(f"this is no model: backbone, head and nc are wanted, got {text(model)[:80]}")
    plain, lines = normal(model)
    check(plain)
    return plain, [f"yolo_attn: {file(plain)}: {line}" for line in lines]


def check(model: Mapping) -> None:
    """Raises AttentionError where a model dict, in the form of `yolo_attn.surgery.forms`, cannot be built.

    The message names the file, the row and the mend.
    """
    check_rows(model)
    for fault in (_classes(model), _scaling(model), _activation(model)):
        if fault:
            raise AttentionError(f"{file(model)}: {fault}")
    for i, row in enumerate([*model["backbone"], *model["head"]]):
        if fault := _row(row, i):
            raise AttentionError(f"{where(model, i)}: {fault}")


def check_rows(model: Mapping) -> None:
    """Raises AttentionError where a model dict has no rows that anybody could build, with attention or without."""
    for part in PARTS:
        if not isinstance(model.get(part), list):
            raise AttentionError(f"{file(model)} has no {part}; write '{part}:' and below it its rows, {ROW}")
    if not model["backbone"]:
        raise AttentionError(f"{file(model)} has no rows in its backbone; write them below 'backbone:', {ROW}")
    for i, row in enumerate([*model["backbone"], *model["head"]]):
        if not isinstance(row, list) or len(row) != 4:
            raise AttentionError(f"{where(model, i)}: a row is {ROW}")
        if not isinstance(row[2], str) or not row[2]:
            raise AttentionError(f"{where(model, i)}: a module is a name, got {shown(row[2])}; a row is {ROW}")


def file(model: Mapping) -> str:
    """Returns the name of a model's file, for a message."""
    return str(model.get("yaml_file") or "model")


def where(model: Mapping, i: int) -> str:
    """Returns a model's file and its row `i`, for a message: `my.yaml, row 3 [-1, 1, CBAM, []]`."""
    rows = [row for part in PARTS for row in model.get(part) or ()]
    return f"{file(model)}, row {i} {text(rows[i])}"


def text(value: object) -> str:
    """Returns a row, or a part of it, as it is written in a model YAML; what is long or deep is cut short."""
    return cut(_text(value, MOST_LEVELS), MOST_LETTERS)


def _text(value: object, levels: int) -> str:
    if not isinstance(value, list | dict):
        return str(value)
    items = [*value.items()] if isinstance(value, dict) else [*value]
    rest = ["…"] if len(items) > MOST_ITEMS or (items and not levels) else []
    items = items[:MOST_ITEMS] if levels else []
    if isinstance(value, dict):
        return f"{{{', '.join([f'{_text(key, 0)}: {_text(one, levels - 1)}' for key, one in items] + rest)}}}"
    return f"[{', '.join([_text(one, levels - 1) for one in items] + rest)}]"


def _classes(model: Mapping) -> str:
    nc: Any = model.get("nc")
    if is_whole(nc) and nc > 0:
        return ""
    return f"nc, the number of classes, must be a whole number from 1 on, got {shown(nc)}; write nc: 80"


def _scaling(model: Mapping) -> str:
    scales, scale = model.get("scales"), model.get("scale")
    for key in ("depth_multiple", "width_multiple"):
        if not _is_positive(model.get(key, 1)):
            return f"{key} must be a number above 0, got {shown(model[key])}"
    if not scales:
        return ""
    if not isinstance(scales, Mapping):
        return f"scales must be letters, each with [depth, width, max_channels], got {text(scales)}"
    for letter, numbers in scales.items():
        if not isinstance(numbers, list | tuple) or len(numbers) != 3 or not all(map(_is_positive, numbers)):
            return f"scale {letter} must be three numbers, [depth, width, max_channels], got {text(numbers)}"
    if scale and scale not in scales:
        return f"it has no scale '{scale}', for which its name asks; its scales are {', '.join(map(str, scales))}"
    return ""


def _activation(model: Mapping) -> str:
    """Ultralytics evaluates it as Python; here it can be a class of torch with plain arguments, and nothing else."""
    written = model.get("activation")
    if not written or ACTIVATION.fullmatch(str(written)):
        return ""
    return f"activation must be one of torch's with its arguments, as nn.LeakyReLU(0.1), got {shown(written)}"


def _row(row: Any, i: int) -> str:
    f, repeats, _, args = row
    if not is_whole(repeats) or not 1 <= repeats <= MOST_REPEATS:
        return f"repeats must be a whole number from 1 to {MOST_REPEATS}, got {shown(repeats)}"
    if not isinstance(args, list):
        return f"a module's arguments stand in brackets; write [{text(args)}]"
    inputs = f if isinstance(f, list) else [f]
    if not inputs or not all(map(is_whole, inputs)):
        return f"from must be -1, a row's number or a list of such, got {text(f)}"
    if bad := [one for one in inputs if one >= i or one < -max(i, 1)]:
        others = f" or a number from 0 to {i - 1}" if i else ""
        return f"input {bad[0]} is no earlier row; write -1{others}"
    return ""


def _is_positive(value: object) -> bool:
    return value == math.inf or (is_number(value) and value > 0)  # type: ignore[operator]
