"""What `yolo-attn place` was asked for, looked at before a second is spent: base, operators, budget, data, the rest."""

import json
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from torch import nn
from ultralytics import YOLO

from yolo_attn.errors import AttentionError
from yolo_attn.evidence import dataset, plan, validation
from yolo_attn.evidence.layers import attention, network
from yolo_attn.evidence.verdict import check_packages
from yolo_attn.export.staging import beside
from yolo_attn.placement import everywhere
from yolo_attn.placement.everywhere import Everywhere
from yolo_attn.placement.options import PlaceOptions
from yolo_attn.surgery import recipe, words
from yolo_attn.upstream import layout

FILE = "place.json"
OURS = ("freeze", "pretrained")  # what the search sets itself, beside what a comparison does
MAY_CHANGE = ("seeds", "ray", "gpus", "project", "name")
OF_VAL = ("imgsz", "batch", "device", "workers", "single_cls")  # arguments of the trainings that validations get, too


class Budget(NamedTuple):
    """What attention may take: so many milliseconds, or so many per cent of the base's."""

    number: float
    unit: str

    def milliseconds(self, base: float) -> float:
        return self.number if self.unit == "ms" else base * self.number / 100


class Asked(NamedTuple):
    """A search: its folder, the base and its places, the operators' words, the data, and the trainings' arguments."""

    options: PlaceOptions
    folder: Path
    base: YOLO
    stem: str
    places: Everywhere
    operators: list[str]
    budget: Budget
    data: dict[str, Any]
    arguments: dict[str, Any]

    @property
    def network(self) -> nn.Module:
        return network(self.base)

    @property
    def size(self) -> int:
        return plan.size(self.arguments)

    @property
    def of_val(self) -> dict[str, Any]:
        """The arguments of a validation on the search's images."""
        found = {key: self.arguments[key] for key in OF_VAL if key in self.arguments}
        if not isinstance(found.get("batch", 16), int) or found.get("batch", 16) < 1:
            del found["batch"]  # the trainer looks for the largest
        return {**found, "imgsz": self.size}


def read(options: PlaceOptions) -> Asked:
    """Returns what was asked for.

    Raises:
        AttentionError: Something of it is wrong; nothing was begun.
    """
    check_packages()
    if Path(options.base).suffix != ".pt":
        raise AttentionError(
            f"base={options.base} has no weights to start from: give a checkpoint, such as yolo11n.pt, or train it "
            f"first: yolo train model={options.base} data={options.data}"
        )
    operators = read_operators(options.operators)
    budget = read_budget(options.budget)
    if ours := [name for name in options.arguments if name in OURS]:
        raise AttentionError(f"'yolo-attn place' sets {ours[0]}= itself; leave it out")
    arguments = plan.read(options.arguments)
    base = plan.check_model(options.base)
    if base.task == "classify" or base.task not in validation.TASKS:
        raise AttentionError(f"'yolo-attn place' searches for detectors of any kind, and {options.base} is a "
                             f"{base.task} model: yolo-attn compare takes it")  # fmt: skip
    if there := attention(network(base)):
        raise AttentionError(f"{options.base} has attention already, {', '.join(there)}: give a base without any")
    rows = layout.load(options.base)
    data = dataset.read(base.task, options.data)
    if options.freeze_base and rows["nc"] != data["nc"]:
        raise AttentionError(
            f"{options.base} knows {rows['nc']} classes and {options.data} has {data['nc']}: train it on this data "
            f"first, yolo train model={options.base} data={options.data}, or write freeze_base=False"
        )
    stem = Path(rows.get("yaml_file") or options.base).stem
    folder = (Path(options.project) / (options.name or stem)).resolve()
    check_begun(folder, options)
    return Asked(options, folder, base, stem, everywhere.of(rows), operators, budget, data, arguments)


def read_operators(text: str) -> list[str]:
    """Returns the words of the operators, each as it is usually written.

    Raises:
        AttentionError: There is none, one is unknown, or one stands there twice.
    """
    found = [words.write(word.strip()).lower() for word in text.strip("[]").split(",") if word.strip()]
    if not found:
        raise AttentionError(f"operators={text} names none: write operators=cbam,eca")
    if twice := {word for word in found if found.count(word) > 1}:
        raise AttentionError(f"operators={text} has {', '.join(sorted(twice))} twice: write it once")
    return found


def read_budget(text: str) -> Budget:
    """Returns the budget.

    Raises:
        AttentionError: It is neither per cent nor milliseconds.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(%|ms)", text.strip())
    if not match or not float(match[1]):
        raise AttentionError(f"budget={text} is no time: write budget=5%, of the base's, or budget=2ms")
    return Budget(float(match[1]), match[2])


def check_begun(folder: Path, options: PlaceOptions) -> None:
    """Compares with what the folder was begun with.

    Raises:
        AttentionError: It was something else.
    """
    file = folder / FILE
    if not file.is_file():
        return
    try:
        before = json.loads(file.read_text(encoding="utf-8"))
        differs = [key for key, value in said(options).items() if before[key] != value]
    except (ValueError, KeyError, TypeError):
        raise AttentionError(f"{file} is no search's: name another folder, name=…") from None
    if differs:
        key = differs[0]
        raise AttentionError(
            f"{folder} was begun with {key}={before[key]}, not {said(options)[key]}: repeat it, or give this search "
            "a name=…"
        )


def save(asked: Asked) -> None:
    """Writes down what was asked for."""
    asked.folder.mkdir(parents=True, exist_ok=True)
    with beside(asked.folder / FILE) as folder:
        (folder / FILE).write_text(json.dumps(said(asked.options), indent=1), encoding="utf-8")
        (folder / FILE).replace(asked.folder / FILE)


def said(options: PlaceOptions) -> dict[str, Any]:
    """Returns what a search cannot change once it has begun."""
    return {key: value for key, value in asdict(options).items() if key not in MAY_CHANGE}


def rows_of(asked: Asked) -> int:
    """Returns how many rows the base has: so many are frozen."""
    return len(recipe.all_rows(asked.places.base))
