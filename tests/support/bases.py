"""The base models that Ultralytics ships, the places that are tried in them, and their graphs without attention."""

import copy
from functools import cache
from pathlib import Path

import torch
import ultralytics
from ultralytics.nn import tasks

from yolo_attn import registry
from yolo_attn.surgery import places
from yolo_attn.surgery.rows import split_block
from yolo_attn.upstream import layout

# yolo11-cls-resnet18 is left out: Ultralytics downloads torchvision's weights to build it, here or anywhere.
BASES = sorted(
    file.stem
    for file in (Path(ultralytics.__file__).parent / "cfg" / "models").rglob("*.yaml")
    if file.stem != "yolo11-cls-resnet18"
)
PLACES = [
    "backbone", "neck", "head", "stages", "sppf", "P3", "P4", "P5", "P2", "P6", "neck-P4", "head-P3", "head-P5",
    "after:3", "in:backbone", "in:neck", "in:P3", "backbone,head-P5,in:neck-P3",
]  # fmt: skip


@cache
def base(stem: str) -> tuple[dict, list[places.Layer]]:
    """Returns a base's model dict and what becomes of its rows."""
    model = tasks.yaml_model_load(f"{stem}.yaml")
    return model, layout.layers(model)


def is_attention(row: list) -> bool:
    return registry.find(row[2]) is not None


def graph(model: dict) -> list[tuple]:
    """Returns for each row that is no attention its module and what it reads, through attention, numbered without it.

    It is written without the functions under test.
    """
    rows = [*model["backbone"], *model["head"]]

    def resolve(i: int, f: int) -> int:
        i = f if f >= 0 else i + f
        while i >= 0 and is_attention(rows[i]):
            f = rows[i][0]
            i = f if f >= 0 else i + f
        return i

    kept = [i for i, row in enumerate(rows) if not is_attention(row)]
    number = {-1: -1, **{old: new for new, old in enumerate(kept)}}
    found = []
    for i in kept:
        f, n, name, args = rows[i]
        split = split_block(name)
        args = [a for a in args if not isinstance(a, dict)]
        read = [number[resolve(i, one)] for one in (f if isinstance(f, list) else [f])]
        found.append((split[0] if split else name, n, args, read))
    return found


def build(model: dict) -> tuple[torch.nn.Sequential, list[int]]:
    """Returns a model dict's layers, on the meta device, and the rows that later ones read."""
    model = copy.deepcopy(model)
    model["scale"] = model.get("scale") or next(iter(model.get("scales") or {}), "")
    with torch.device("meta"):
        return tasks.parse_model(model, model.get("channels", 3), verbose=False)
