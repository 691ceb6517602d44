"""The chart of an ablation: what each layer is worth, with its interval, over what it costs."""

from pathlib import Path

from yolo_attn.evidence.worth import Line, Result

SURE, UNSURE, INK = "#f28e2b", "#8a94a3", "#1f2937"
GAP = 0.05  # between two labels, of the axes' height


def draw(result: Result, lines: list[Line], file: Path) -> None:
    """Draws the layers among a result's lines into a picture."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.2, max(4.8, 0.24 * len(lines))), layout="constrained")
    axes = figure.add_subplot()
    axes.axhline(0, color="#4a5565", linewidth=1)
    for line in lines:
        color, x = SURE if line.worth.sure else UNSURE, line.milliseconds
        axes.plot([x, x], [line.worth.low, line.worth.high], color=color, linewidth=2, solid_capstyle="round")
        axes.plot(x, line.worth.lost, "o", color=color, markersize=7)
    axes.margins(x=0.08, y=0.1)
    axes.set_xlim(left=0)
    axes.set(xlabel="milliseconds in ONNX Runtime, one thread", ylabel=f"worth, points of {result.measure}",
             title="What each attention layer is worth, and what it costs")  # fmt: skip
    axes.grid(alpha=0.25)
    for color, label in ((SURE, "told apart from nothing"), (UNSURE, "not told apart from nothing")):
        axes.plot([], [], "o-", color=color, label=label)
    axes.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=2, frameon=False)
    _labels(axes, lines)
    figure.savefig(file, dpi=130)


def _labels(axes, lines: list[Line]) -> None:
    """Writes the layers' names beside the axes, in the order of their points and none over another."""
    low, high = axes.get_ylim()
    ordered = sorted(lines, key=lambda line: (line.worth.lost, -line.milliseconds))
    heights = apart([(line.worth.lost - low) / (high - low) for line in ordered])
    for line, height in zip(ordered, heights, strict=True):
        name = f"{line.operator.partition('(')[0]} {line.name.removeprefix('model.')}"
        axes.annotate(
            name, (line.milliseconds, line.worth.lost), xytext=(1.03, height), textcoords=axes.transAxes,
            va="center", fontsize=8, color=INK,
            arrowprops={"arrowstyle": "-", "color": "#c3cad4", "linewidth": 0.8, "shrinkB": 5},
        )  # fmt: skip


def apart(heights: list[float]) -> list[float]:
    """Returns rising heights moved so that none is nearer than GAP to the next, and within 0 and 1 where they fit."""
    found: list[float] = []
    for height in heights:
        found.append(max(height, found[-1] + GAP) if found else height)
    above = 1.0
    for i in reversed(range(len(found))):
        found[i] = min(found[i], above)
        above = found[i] - GAP
    return found
