"""Tiny detectors whose outputs say something, and a training of a few seconds."""

import copy
from pathlib import Path

import torch
import yaml
from ultralytics.nn import tasks

TINY = {
    "data": "shapes.yaml", "imgsz": 64, "fraction": 0.05, "batch": 8, "workers": 0, "device": "cpu", "nbs": 8,
    "warmup_epochs": 0, "optimizer": "SGD", "val": False, "plots": False, "verbose": False,
}  # fmt: skip


def detector(*attention: tuple[int, str | list], nc: int = 3, widths: tuple[int, ...] = (8, 16, 16)) -> dict:
    """Returns the rows of a detector of four layers, strides 8, 16, 32, with attention behind the given layers.

    Args:
        attention: The base's layer that each stands behind, and its name, or its name and arguments.
        nc: Number of classes.
        widths: Channels of the three layers before the head.
    """
    rows, moved = [], {}
    for k, width in enumerate(widths):
        rows.append([-1, 1, "Conv", [width, 3, 8 if k == 0 else 2]])
        for behind, name in attention:
            if behind == k:
                rows.append([-1, 1, *([name, []] if isinstance(name, str) else name)])
        moved[k] = len(rows) - 1
    head = [[[moved[0], moved[1], moved[2]], 1, "Detect", ["nc"]]]
    return {"nc": nc, "depth_multiple": 1.0, "width_multiple": 1.0, "backbone": rows, "head": head}


def build(rows: dict) -> tasks.DetectionModel:
    return tasks.DetectionModel(copy.deepcopy(rows), verbose=False)


def image(seed: int = 0, size: int = 64) -> torch.Tensor:
    return torch.rand(1, 3, size, size, generator=torch.Generator().manual_seed(seed))


def written(rows: dict, file: Path) -> Path:
    """Writes `rows` as a YAML file."""
    kept = {key: value for key, value in rows.items() if key not in ("scale", "yaml_file")}
    file.write_text(yaml.safe_dump(kept, sort_keys=False))  # the first of the scales is the default
    return file
