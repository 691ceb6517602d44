"""Whether a model dict can be a model at all: what Ultralytics would answer with a traceback is one line here.

What its numbers mean, which modules there are and what they take is not looked at: Ultralytics knows that.
"""

import math
from collections.abc import Mapping
from typing import Any

from yolo_attn.errors import AttentionError
from yolo_attn.surgery.forms import PARTS, normal
from yolo_attn.surgery.rows import is_number, is_whole

ROW = "[from, repeats, module, args]"


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
    for part in PARTS:
        if not isinstance(model.get(part), list):
            raise AttentionError(f"{file(model)} has no {part}; write '{part}:' and below it its rows, {ROW}")
    if not model["backbone"]:
        raise AttentionError(f"{file(model)} has no rows in its backbone; write them below 'backbone:', {ROW}")
    for fault in (_classes(model), _scaling(model)):
        if fault:
            raise AttentionError(f"{file(model)}: {fault}")
    for i, row in enumerate([*model["backbone"], *model["head"]]):
        if fault := _row(row, i):
            raise AttentionError(f"{where(model, i)}: {fault}")


def file(model: Mapping) -> str:
    """Returns the name of a model's file, for a message."""
    return str(model.get("yaml_file") or "model")


def where(model: Mapping, i: int) -> str:
    """Returns a model's file and its row `i`, for a message: `my.yaml, row 3 [-1, 1, CBAM, []]`."""
    rows = [row for part in PARTS for row in model.get(part) or ()]
    return f"{file(model)}, row {i} {text(rows[i])}"


def text(value: object) -> str:
    """Returns a row, or a part of it, as it is written in a model YAML."""
    if isinstance(value, list):
        return f"[{', '.join(map(text, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {text(one)}' for key, one in value.items())}}}"
    return str(value)


def _classes(model: Mapping) -> str:
    nc: Any = model.get("nc")
    if is_whole(nc) and nc > 0:
        return ""
    return f"nc, the number of classes, must be a whole number from 1 on, got {nc!r}; write nc: 80"


def _scaling(model: Mapping) -> str:
    scales, scale = model.get("scales"), model.get("scale")
    for key in ("depth_multiple", "width_multiple"):
        if not _is_positive(model.get(key, 1)):
            return f"{key} must be a number above 0, got {model[key]!r}"
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


def _row(row: Any, i: int) -> str:
    if not isinstance(row, list) or len(row) != 4:
        return f"a row is {ROW}"
    f, repeats, module, args = row
    if not isinstance(module, str) or not module:
        return f"a module is a name, got {module!r}; a row is {ROW}"
    if not is_whole(repeats) or repeats < 1:
        return f"repeats must be a whole number from 1 on, got {repeats!r}"
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
