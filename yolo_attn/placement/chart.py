"""The chart of a search: what the network finds over what its attention takes, at every step."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from yolo_attn.evidence.charts import COLOURS, GREY
from yolo_attn.placement.search import Step


def draw(found: Mapping[str, Sequence[Step]], budget: float, file: Path) -> None:
    """Draws the steps of each operator into a picture; the way goes from the right to the left."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.2, 5), layout="constrained")
    axes = figure.add_subplot()
    for (operator, steps), colour in zip(found.items(), COLOURS * len(found), strict=False):
        known = [step for step in steps if step.worth]
        x, y = [step.total for step in known], [step.accuracy for step in known]
        axes.plot(x, y, "o-", color=colour, markersize=4, linewidth=1.5, label=operator)
        axes.plot([0], [steps[0].base], "s", color=colour, markersize=6)
        for step in known:
            if step.removed:
                axes.annotate(
                    f"−{step.removed}", (step.total, step.accuracy), xytext=(0, 6), textcoords="offset points",
                    fontsize=6, color=colour, ha="center", rotation=60,
                )  # fmt: skip
        if known and not known[-1].removed:
            axes.plot(x[-1], y[-1], "o", color=colour, markersize=11, markerfacecolor="none", markeredgewidth=2)
    axes.axvline(budget, color=GREY, linewidth=1, linestyle="--", label="the budget")
    axes.set(
        xlabel="milliseconds of all attention; squares: all of it off",
        ylabel="points of mAP50-95 on the search's images",
        title="From everywhere, on the right, to what is left, in a circle",
    )
    axes.margins(x=0.05, y=0.15)
    axes.grid(alpha=0.25)
    axes.legend(fontsize=8, frameon=False)
    figure.savefig(file, dpi=130)
