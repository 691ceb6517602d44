"""Writing the text of a model file as people write it: a base that Ultralytics ships, with rows put in by hand."""

import copy
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import yaml
from ultralytics.utils import ROOT

from tests.support import yamls
from yolo_attn.surgery import recipe

ANCHORS = [[10, 13, 16, 30, 33, 23], [30, 61, 62, 45, 59, 119], [116, 90, 156, 198, 373, 326]]
CBAM = "CBAM(reduction=16, kernel_size=7)"
SE, COORD, ECA3, ECA5 = (
    "SE(reduction=16, bias=True)",
    "CoordAtt(reduction=32)",
    "ECA(kernel_size=3)",
    "ECA(kernel_size=5)",
)
GAM = "GAM(reduction=4, groups=1, channel_sigmoid=True, rank=0, depthwise=False)"
CBAM8 = "CBAM(reduction=8, kernel_size=7)"
CHANNELS = (["CBAM", [256]], ["CBAM", [512]], ["CBAM", [1024]])


class Case(NamedTuple):
    """A file.

    Attributes:
        text: What stands in it.
        refused: A part of the line that refuses it; empty where it is built.
        name: Its name, which says the scale.
        read: What its attention is read as, each once.
        warned: The rows that are warned of, each with what should probably be read; None where that cannot be said.
    """

    text: str
    refused: str = ""
    name: str = "yolov8n-mine.yaml"
    read: tuple[str, ...] = (CBAM,)
    warned: Mapping[int, Any] = MappingProxyType({})


def base(family: str) -> dict[str, Any]:
    """Returns the model dict of a base, `v8/yolov8`."""
    return yamls.read(ROOT / "cfg" / "models" / f"{family}.yaml")


def dumped(model: dict[str, Any]) -> str:
    lines = [f"{key}: {flow(value)}" for key, value in model.items() if key not in ("backbone", "head")]
    for part in ("backbone", "head"):
        if part in model:
            lines += [f"{part}:", *(f"  - {flow(row)}" for row in model[part])]
    return "\n".join(lines) + "\n"


def flow(value: object) -> str:
    return yaml.safe_dump(value, default_flow_style=True, width=10000, sort_keys=False).removesuffix("...\n").strip()


def with_rows(model: dict[str, Any], *rows: list, after: tuple[int, ...] = (4, 6, 8), f: Any = -1) -> dict[str, Any]:
    """Returns a base with a row behind each of `after`, every number shifted as it should be.

    Args:
        model: The base.
        rows: What stands behind `from` and 1 in each row: `["CBAM", [256]]`; the last is used for the rest.
        after: The base's rows.
        f: What each reads.
    """
    for k, row in reversed(list(enumerate(after))):
        model = recipe.insert_after(model, row, "CBAM")
        recipe.all_rows(model)[row + 1][:] = copy.deepcopy([f, 1, *rows[min(k, len(rows) - 1)]])
    return model


def put_in(model: dict[str, Any], row: list, *after: int) -> dict[str, Any]:
    """Returns a base with a row behind each of `after` and no number shifted, as people forget it."""
    model, border = copy.deepcopy(model), len(model["backbone"])
    for i in sorted(after, reverse=True):
        part, k = ("backbone", i + 1) if i < border else ("head", i + 1 - border)
        model[part].insert(k, copy.deepcopy([-1, 1, *row]))
    return model


def reading(model: dict[str, Any], froms: Mapping[int, Any]) -> dict[str, Any]:
    """Returns a model with another `from` in some rows."""
    model = copy.deepcopy(model)
    for row, f in froms.items():
        recipe.all_rows(model)[row][0] = f
    return model


def v8(*rows: list, **keys: Any) -> str:
    return dumped(with_rows(base("v8/yolov8"), *rows, **keys))


def v8_blocks(name: str, *args: Any) -> str:
    """Returns YOLOv8 with the C2f of its stages written as another block."""
    model = base("v8/yolov8")
    for i in (4, 6, 8):
        model["backbone"][i][2:] = [name, [model["backbone"][i][3][0], *args]]
    return dumped(model)


def classic(
    *rows: list, head: Any = ("Detect", ["nc", "anchors"]), anchors: Any = ANCHORS, put: Any = (), **changes: Any
) -> str:
    """Returns a YOLOv5 file as its own repository has it, with rows behind its stages; what is `put` in shifts none."""
    model = base("v5/yolov5")
    del model["scales"]
    model["head"][-1][2:] = copy.deepcopy(list(head))
    model = with_rows(model, *rows) if rows else model
    model = put_in(model, *put) if put else model
    model = {"nc": 80, "depth_multiple": 0.33, "width_multiple": 0.5, "anchors": anchors, **model}
    for i, row in changes.items():
        recipe.all_rows(model)[int(i.removeprefix("row"))][1:] = row
    return dumped(model)


def v3() -> str:
    model = base("v3/yolov3")
    model["head"][-1][3] = ["nc", "anchors"]
    return dumped({**with_rows(model, *CHANNELS, after=(6, 8)), "anchors": ANCHORS})
