"""The result of an ablation: what each layer is worth and what it costs, as a table, as text and as CSV."""

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from yolo_attn.evidence.bootstrap import drawn, interval
from yolo_attn.evidence.spread import Spread
from yolo_attn.evidence.validation import Validation

POINTS = 100  # accuracies are told in points: hundredths


@dataclass
class Worth:
    """What is lost without one layer, or several, in points, with the bounds of its 95 % interval."""

    lost: float
    low: float
    high: float

    @property
    def sure(self) -> bool:
        """Whether it is told apart from nothing."""
        return self.low > 0 or self.high < 0

    def __str__(self) -> str:
        lost, low, high = (round(value, 2) + 0.0 for value in (self.lost, self.low, self.high))  # no -0.00
        return f"{lost:+.2f} [{low:+.2f}, {high:+.2f}]"


@dataclass
class Line:
    """One variant: the layers that are off in it, what is lost overall and of each class, and what they cost."""

    name: str
    operator: str
    worth: Worth
    classes: dict[int, Worth]
    milliseconds: float
    shares: list[float]
    spread: Spread | None

    @property
    def per_millisecond(self) -> float | None:
        """The points per millisecond, what ranks the layers; None where there is no time to speak of."""
        return self.worth.lost / self.milliseconds if self.milliseconds > 1e-3 else None


@dataclass
class Result:
    """An ablation: the accuracy of the whole network, its time, and a line for each variant."""

    measure: str  # mAP50-95 or top-1
    accuracy: float
    classes: dict[int, float]
    names: dict[int, str]
    images: int
    milliseconds: float
    lines: list[Line]


def worths(validation: Validation) -> dict[str, tuple[Worth, dict[int, Worth]]]:
    """Returns what is lost in each variant, overall and of each class."""
    whole = validation.measured[""]
    before, classes_before = drawn(whole.outcome)
    found = {}
    for name, measured in validation.measured.items():
        if not name:
            continue
        after, classes_after = drawn(measured.outcome)
        each = {
            kind: worth(
                whole.classes[kind] - measured.classes[kind], classes_before[:, i] - classes_after[:, i], images
            )
            for i, (kind, images) in enumerate(
                zip(map(int, whole.outcome.classes), whole.outcome.images_of, strict=True)
            )
        }
        found[name] = worth(whole.accuracy - measured.accuracy, before - after, whole.outcome.images), each
    return found


def worth(lost: float, draws: np.ndarray, images: int) -> Worth:
    """Returns what is lost, in points; `draws` and `images` are those of `interval`."""
    low, high = interval(lost, draws, images)
    return Worth(POINTS * lost, POINTS * low, POINTS * high)


def table(result: Result) -> str:
    """Returns the lines as a Markdown table."""
    heads = ("layer", "operator", f"worth, points of {result.measure}", "ms", "points per ms", "share a", "gate",
             "near 0", "near 1", "dead gates")  # fmt: skip
    return markdown(heads, (_cells(line) for line in result.lines))


def _cells(line: Line) -> list[str]:
    rate, spread = line.per_millisecond, line.spread
    gate = [f"{spread.mean:.2f} ± {spread.deviation:.2f}", f"{spread.near_0:.0%}", f"{spread.near_1:.0%}",
            "; ".join(spread.dead)] if spread else [""] * 4  # fmt: skip
    shares = ", ".join(f"{share:.2f}" for share in line.shares)
    return [line.name, line.operator, str(line.worth), f"{line.milliseconds:.2f}",
            "" if rate is None else f"{rate:+.1f}", shares, *gate]  # fmt: skip


def text(result: Result, title: str) -> str:
    """Returns the whole result as Markdown."""
    each = markdown(
        ("layer", *(f"{result.names[kind]}, AP {POINTS * value:.1f}" for kind, value in result.classes.items())),
        ([line.name, *(str(line.classes[kind]) for kind in result.classes)] for line in result.lines),
    )
    return "\n".join([f"# {title}", "", *sentences(result), "", table(result), "", "## Each class", "", each, ""])


def sentences(result: Result) -> list[str]:
    """Returns what the numbers are, in words."""
    return [
        f"{result.measure} of the whole network: {POINTS * result.accuracy:.2f} on {result.images} images, as `yolo "
        f"val` measures it; {result.milliseconds:.2f} ms in ONNX Runtime on one thread of this CPU.",
        "",
        "A layer's worth is what this trained network loses when the layer's gate is 1, with the 95 % interval over "
        "the images, each for itself. It is not what a network trained without it would lack: train that one to know.",
    ]


def rows(result: Result) -> list[dict[str, Any]]:
    """Returns the result as rows: for each variant one of all classes together, and one of each class."""
    found: list[dict[str, Any]] = []
    for line in result.lines:
        spread = line.spread
        found.append({
            "layer": line.name, "operator": line.operator, "class": "all", "accuracy": result.accuracy * POINTS,
            **vars(line.worth), "milliseconds": line.milliseconds, "share": " ".join(map(str, line.shares)),
            "gate_mean": spread and spread.mean, "gate_deviation": spread and spread.deviation,
            "near_0": spread and spread.near_0, "near_1": spread and spread.near_1,
            "dead": "; ".join(spread.dead) if spread else "",
        })  # fmt: skip
        found += [
            {"layer": line.name, "operator": line.operator, "class": result.names[kind],
             "accuracy": result.classes[kind] * POINTS, **vars(worth)}
            for kind, worth in line.classes.items()
        ]  # fmt: skip
    return found


def written(result: Result) -> str:
    """Returns the rows as CSV."""
    lines, stream = rows(result), io.StringIO()
    writer = csv.DictWriter(stream, list(lines[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: round(value, 5) if isinstance(value, float) else value for name, value in line.items()}
                     for line in lines)  # fmt: skip
    return stream.getvalue()


def markdown(heads: Iterable[str], lines: Iterable[Iterable[str]]) -> str:
    """Returns a Markdown table whose columns are as wide as what stands in them."""
    cells = [[cell.replace("|", "\\|") for cell in line] for line in (heads, *lines)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    head, *body = ["| " + " | ".join(map(str.ljust, line, widths)) + " |" for line in cells]
    return "\n".join([head, "|" + "|".join("-" * (width + 2) for width in widths) + "|", *body])
