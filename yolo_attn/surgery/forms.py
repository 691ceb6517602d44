"""The forms in which people write attention rows and classic YOLOv5 files, brought into the one that is built.

    [-1, 1, CBAM]                               [-1, 1, CBAM, []]
    [-1, 1, CBAM, 1024]                         [-1, 1, CBAM, [1024]]
    [-1, 1, CBAM, {reduction: 8}]               [-1, 1, CBAM, [{reduction: 8}]]
    [-1, 1, CBAM, [None]]                       [-1, 1, CBAM, []]
    [[-1], 1, CBAM, []]                         [-1, 1, CBAM, []]
    [[17, 20, 23], 1, Detect, [nc, anchors]]    [[17, 20, 23], 1, Detect, [nc]]

Pure functions on model dicts. No row moves, and what is no attention row stays as it is but for its anchors.
"""

import copy
from collections.abc import Mapping
from typing import Any

from yolo_attn.surgery.rows import is_attention

PARTS = ("backbone", "head")


def copied(model: Mapping) -> dict[str, Any]:
    """Returns a copy of a model dict in which no two rows share anything: YAML's `&` and `*` make one list of two."""
    return {
        key: [copy.deepcopy(row) for row in value] if key in PARTS and isinstance(value, list) else copy.deepcopy(value)
        for key, value in model.items()
    }


def normal(model: Mapping) -> tuple[dict[str, Any], list[str]]:
    """Returns a copy of a model dict in the form that is built, and a line for each thing that was left out of it.

    What has no plain meaning is left: `yolo_attn.surgery.check` refuses it.
    """
    model = copied(model)
    if not model.get("scales", True):
        del model["scales"]  # `scales:` with nothing behind it
    rows = [row for part in PARTS if isinstance(model.get(part), list) for row in model[part] if isinstance(row, list)]
    for row in rows:
        if len(row) > 2 and is_attention(row[2]):
            _write_plainly(row)
    lines = []
    if _take_anchors(model, rows):
        lines.append("its anchors are left out: the heads of this ultralytics have none")
    return model, lines


def _write_plainly(row: list) -> None:
    """Brings an attention row into its one form, in place."""
    if isinstance(row[0], list) and len(row[0]) == 1:
        row[0] = row[0][0]
    args = [arg for given in row[3:] for arg in (given if isinstance(given, list) else [given])]
    row[3:] = [[] if args in ([None], ["None"]) else args]


def _take_anchors(model: dict, rows: list[list]) -> bool:
    """Takes the anchors of YOLOv3 to YOLOv7 out of a model dict, in place, and tells whether there were any."""
    found = "anchors" in model
    model.pop("anchors", None)
    for row in rows:
        if len(row) == 4 and isinstance(row[3], list):
            args = [arg for arg in row[3] if arg != "anchors" and not (row is rows[-1] and _are_boxes(arg))]
            found = found or len(args) < len(row[3])
            row[3] = args
    return found


def _are_boxes(arg: object) -> bool:
    """Tells whether an argument is a list of lists: the boxes of each level, written out in the head's row."""
    return isinstance(arg, list) and bool(arg) and all(isinstance(level, list) for level in arg)
