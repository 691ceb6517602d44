"""A training on the built-in set, as the scripts here and the one on CUDA do it."""

import csv
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import arguments

BUILT_IN: dict[str, Any] = {"data": "shapes.yaml", "workers": 0, "plots": False, "verbose": False}


def read_options(document: str | None, operators: Sequence[str]) -> Namespace:
    """Returns what a script of this folder was asked for; `operators` are those it takes when none is named."""
    parser = arguments.parser(document)
    parser.add_argument("--base", default="yolov5n")
    parser.add_argument("--operators", nargs="*", default=operators)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--imgsz", type=int, default=160)
    parser.add_argument("--device", default="cpu")
    return parser.parse_args()


def train(model: str, folder: str, name: str, **settings: Any) -> list[dict[str, str]]:
    """Trains `model` into `folder`/`name` and returns the rows of Ultralytics' results.csv, one an epoch."""
    from ultralytics import YOLO

    YOLO(model).train(project=folder, name=name, **BUILT_IN, **settings)
    with (Path(folder) / name / "results.csv").open() as stream:
        return list(csv.DictReader(stream))
