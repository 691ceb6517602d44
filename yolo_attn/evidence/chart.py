"""The chart of an ablation: what each layer is worth, with its interval, over what it costs."""

from pathlib import Path

from yolo_attn.evidence.worth import Line, Result

SURE, UNSURE = "#f28e2b", "#8a94a3"


def draw(result: Result, lines: list[Line], file: Path) -> None:
    """Draws the layers among a result's lines into a picture."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.5, 4.8), layout="constrained")
    axes = figure.add_subplot()
    axes.axhline(0, color="#4a5565", linewidth=1)
    for line in sorted(lines, key=lambda line: line.milliseconds):
        worth, x = line.worth, line.milliseconds
        color = SURE if worth.sure else UNSURE
        axes.plot([x, x], [worth.low, worth.high], color=color, linewidth=2, solid_capstyle="round")
        axes.plot(x, worth.lost, "o", color=color, markersize=7)
        axes.annotate(f"{line.name}\n{line.operator}", (x, worth.lost), xytext=(7, 0), textcoords="offset points",
                      fontsize=8, va="center", color="#1f2937")  # fmt: skip
    axes.margins(x=0.15, y=0.12)
    axes.set_xlim(left=0)
    axes.set(xlabel="milliseconds in ONNX Runtime, one thread", ylabel=f"worth, points of {result.measure}",
             title="What each attention layer is worth, and what it costs")  # fmt: skip
    axes.grid(alpha=0.25)
    for color, label in ((SURE, "told apart from nothing"), (UNSURE, "not told apart from nothing")):
        axes.plot([], [], "o-", color=color, label=label)
    axes.legend(fontsize=8, loc="best")
    figure.savefig(file, dpi=130)
