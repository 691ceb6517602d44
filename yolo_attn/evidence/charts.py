"""The charts of a comparison, as matplotlib's figures; `svg` makes text for a page, in whose colour the writing is."""

import io
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from yolo_attn.evidence.cells import AGAIN, BASE
from yolo_attn.evidence.results import Results, mean, spread
from yolo_attn.evidence.verdict import Verdict

# Okabe and Ito's colours, told apart by colour-blind people too, without the two that one of the pages would swallow.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9")
WORDS = {"better": "#009E73", "worse": "#D55E00", "equivalent": "#0072B2"}
GREY = "#888888"
INK = "#010203"  # stands for the page's colour of text


def all_of(results: Results, verdicts: Mapping[str, Verdict], times: Mapping[str, float]) -> dict[str, Any]:
    """Returns the figures that there is something to show in, by their names."""
    figures = {
        "differences": differences(verdicts, results.comparison.margin),
        "latency": latency(results, times),
        "curves": curves(results),
        "errors": errors(results),
    }
    return {name: figure for name, figure in figures.items() if figure is not None}


def differences(verdicts: Mapping[str, Verdict], margin: float):
    """Each model's difference to the base with its interval, and the margin as a band."""
    known = {name: one for name, one in verdicts.items() if not math.isnan(one.difference)}
    if not known:
        return None
    figure, axes = _axes(height=1.2 + 0.4 * len(known))
    axes.axvspan(-margin, margin, color=GREY, alpha=0.2, lw=0)
    axes.axvline(0, color=INK, lw=1)
    for y, one in enumerate(known.values()):
        colour = WORDS.get(one.word, GREY)
        axes.plot([one.low, one.high], [y, y], color=colour, lw=3, solid_capstyle="butt")
        axes.plot(one.difference, y, "o", color=colour, ms=8)
    axes.set_yticks(range(len(known)), known)
    axes.set(
        xlabel="difference to the base, points of mAP50-95, 95 % interval; grey: no difference",
        ylim=(len(known) - 0.5, -0.5),
    )
    return figure


def latency(results: Results, times: Mapping[str, float]):
    """Accuracy over time, with the line of those that nothing beats in both."""
    points = {
        cell.name: (times[cell.name], mean(results.main.scores[cell.name].values()))
        for cell in results.comparison.cells
        if cell.name in times and results.main.scores[cell.name]
    }
    if not points:
        return None
    figure, axes = _axes()
    for i, (name, (x, y)) in enumerate(points.items()):
        deviation = spread(results.main.scores[name].values())
        axes.errorbar(
            x, y, 0 if math.isnan(deviation) else deviation, fmt="o", color=COLOURS[i % len(COLOURS)], capsize=3
        )
        axes.annotate(name, (x, y), xytext=(7, 7 - 16 * (i % 2)), textcoords="offset points", color=INK)
    front = pareto(points)
    axes.plot(*zip(*front, strict=True), "--", color=GREY, lw=1, zorder=0)
    axes.margins(x=0.2)
    axes.set(xlabel="ms an image, ONNX Runtime, one CPU thread", ylabel="mAP50-95, points")
    return figure


def pareto(points: Mapping[str, tuple[float, float]]) -> list[tuple[float, float]]:
    """Returns the points that no other beats in both, from the fastest on."""
    front: list[tuple[float, float]] = []
    for x, y in sorted(points.values(), key=lambda point: (point[0], -point[1])):
        if not front or y > front[-1][1]:
            front.append((x, y))
    return front


def curves(results: Results):
    """The accuracy after each epoch: the mean over the seeds, and one standard deviation around it."""
    figure, axes = _axes()
    drawn = 0
    for cell in results.comparison.cells:
        of = [results.curves[run] for run in results.of(cell)]
        if not of or cell.role == AGAIN:
            continue
        epochs = range(1, min(map(max, of)) + 1)
        table = np.array([[curve.get(epoch, math.nan) for epoch in epochs] for curve in of])
        middle, around = table.mean(0), table.std(0)
        style = {"color": INK, "ls": "--"} if cell.role == BASE else {"color": COLOURS[drawn % len(COLOURS)]}
        axes.plot(epochs, middle, label=cell.name, **style)
        axes.fill_between(epochs, middle - around, middle + around, alpha=0.15, lw=0, color=style["color"])
        drawn += 1
    if not drawn:
        return None
    figure.legend(loc="outside upper center", ncols=3, frameon=False, labelcolor=INK)
    axes.set(xlabel="epoch", ylabel="mAP50-95, points")
    return figure


def errors(results: Results):
    """What mending each kind of error would bring, the mean over the seeds."""
    kinds = [measure for measure in results.measures() if measure.sign < 0]
    cells = [cell for cell in results.comparison.cells if cell.role != AGAIN and results.of(cell)]
    if not kinds or not cells:
        return None
    figure, axes = _axes()
    width = 0.8 / len(cells)
    for i, cell in enumerate(cells):
        heights = [mean(measure.scores[cell.name].values()) for measure in kinds]
        colour = GREY if cell.role == BASE else COLOURS[i % len(COLOURS)]
        axes.bar([x + i * width for x in range(len(kinds))], heights, width, label=cell.name, color=colour)
    axes.set_xticks([x + 0.4 - width / 2 for x in range(len(kinds))], [kind.name for kind in kinds])
    figure.legend(loc="outside upper center", ncols=3, frameon=False, labelcolor=INK)
    axes.set(ylabel="AP50 that mending them would bring, points")
    return figure


def svg(figure) -> str:
    """Returns a figure as SVG without a background, its writing in the colour of the text around it."""
    from matplotlib import rc_context

    stream = io.StringIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "yolo_attn"}):
        figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None})
    text = stream.getvalue()
    return text[text.index("<svg") :].replace(INK, "currentColor")


def png(figure, file: Path) -> None:
    """Writes a figure as a picture with black writing on white."""
    from matplotlib.text import Text

    for part in figure.findobj():
        if isinstance(part, Text):
            part.set_color("black")
    figure.savefig(file, dpi=110, facecolor="white")


def _axes(height: float = 4.0):
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    parts = ("axes.edgecolor", "axes.labelcolor", "text.color", "xtick.color", "ytick.color")
    style: dict[Any, Any] = {**dict.fromkeys(parts, INK), "font.size": 11}
    with rc_context(style):
        figure = Figure(figsize=(8, height), layout="constrained")
        axes = figure.subplots()
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.2)
    return figure, axes
