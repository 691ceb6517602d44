"""A training on the built-in set, as the scripts here and the one on CUDA do it."""

import csv
from pathlib import Path
from typing import Any

BUILT_IN: dict[str, Any] = {"data": "shapes.yaml", "workers": 0, "plots": False, "verbose": False}


def train(model: str, folder: str, name: str, **settings: Any) -> list[dict[str, str]]:
    """Trains `model` into `folder`/`name` and returns the rows of Ultralytics' results.csv, one an epoch."""
    from ultralytics import YOLO

    YOLO(model).train(project=folder, name=name, **BUILT_IN, **settings)
    with (Path(folder) / name / "results.csv").open() as stream:
        return list(csv.DictReader(stream))
