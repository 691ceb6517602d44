"""`yolo-attn show -o my.svg`: a network drawn as columns, one pyramid level below the other, attention in colour.

The backbone runs down, the neck up and down again; the head stands on the right.
"""

from pathlib import Path
from typing import NamedTuple

from yolo_attn import recipe, registry, show
from yolo_attn.errors import AttentionError
from yolo_attn.rows import split_block
from yolo_attn.upstream import layout

ATTENTION, PLAIN, FRAME, EDGE = "#f28e2b", "#eef2f7", "#8a94a3", "#9aa5b4"
WIDTH, HEIGHT = 1.75, 0.36  # of a box, in inches
COLUMN, SLOT, LANE_GAP = 2.75, 0.5, 0.3  # from box to box, and between two levels


class Box(NamedTuple):
    """Where one row stands: its column, and the height of its middle, downwards from 0."""

    column: int
    y: float


def write(model: str | dict, file: str | Path) -> None:
    """Draws a model, a YAML's name or a model dict, into an SVG, PNG or PDF.

    Raises:
        AttentionError: The file's name has another ending.
    """
    if Path(file).suffix.lower() not in (".svg", ".png", ".pdf"):
        raise AttentionError(f"cannot draw into '{file}'; write -o my.svg, my.png or my.pdf")
    figure(layout.load(model)).savefig(file, dpi=150, bbox_inches="tight", facecolor="white")


def figure(model: dict):
    """Returns the drawing as a figure of matplotlib."""
    from matplotlib.figure import Figure

    lines = show.lines(model)
    levels = _levels(model, lines)
    columns, upward = _columns(model, levels)
    boxes, lanes = _boxes(levels, columns, upward)
    width = COLUMN * max(columns) + WIDTH + 1.2
    height = max(bottom for _, bottom in lanes.values())
    fig = Figure(figsize=(width, height + 1.2))
    axes = fig.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set(xlim=(-1.2, width - 1.1), ylim=(height + 0.3, -0.9))
    axes.axis("off")
    for number, (level, (top, bottom)) in enumerate(sorted(lanes.items())):
        if number % 2 == 0:
            axes.axhspan(top, bottom, color="#f8fafc", zorder=0)
        axes.text(-1.15, (top + bottom) / 2, f"P{level}", fontsize=13, weight="bold", color="#4a5565", va="center")
        axes.text(-1.15, (top + bottom) / 2 + 0.24, f"stride {2**level}", fontsize=8, color="#6b7685", va="center")
    rows = recipe.all_rows(model)
    for i in range(len(rows)):
        for source in recipe.sources(rows, i):
            if source >= 0:
                _edge(axes, boxes[source], boxes[i], lines[source].attention or lines[i].attention)
    for line in lines:
        _box(axes, boxes[line.number], line)
    _heading(axes, model, lines, width)
    return fig


def _levels(model: dict, lines: list[show.Line]) -> list[int]:
    """Returns each row's pyramid level; a row that gives no single map stands where its first input does."""
    rows, levels = recipe.all_rows(model), []
    for i, line in enumerate(lines):
        source = recipe.sources(rows, i)[0]
        levels.append(line.layer.stride.bit_length() - 1 if line.layer.stride else levels[source] if source >= 0 else 0)
    return levels


def _columns(model: dict, levels: list[int]) -> tuple[list[int], set[int]]:
    """Returns each row's column, and the columns that run upwards: a column ends where the direction turns."""
    rows = recipe.all_rows(model)
    end, border = len(rows) - 1, len(model["backbone"])
    readers = [[j for j in range(len(rows)) if i in recipe.sources(rows, j)] for i in range(len(rows))]
    before_head = [
        i for i in range(border, end) if registry.find(rows[i][2]) and rows[i][0] != -1 and readers[i] == [end]
    ]
    columns, upward, column = [0], set(), 0
    for i in range(1, end):
        if i in before_head:
            columns.append(-1)
            continue
        climbs = levels[i] < levels[i - 1]
        if i == border:
            column += 1
            upward |= {column}
        elif (column in upward and levels[i] > levels[i - 1]) or (column not in upward and climbs):
            column += 1
            upward |= {column} if climbs and i > border else set()
        columns.append(column)
    if before_head:
        column += 1
    return [column if one == -1 else one for one in columns] + [column + 1], upward


def _boxes(levels: list[int], columns: list[int], upward: set[int]) -> tuple[list[Box], dict[int, tuple[float, float]]]:
    """Returns each row's box, and each level's top and bottom: as high as its fullest column needs."""
    stacks: dict[tuple[int, int], list[int]] = {}
    for i, place in enumerate(zip(levels[:-1], columns[:-1], strict=True)):
        stacks.setdefault(place, []).append(i)
    lanes, top = {}, 0.0
    for level in sorted(set(levels[:-1])):
        slots = max(len(stack) for (one, _), stack in stacks.items() if one == level)
        lanes[level] = (top, top + slots * SLOT + LANE_GAP)
        top = lanes[level][1]
    boxes = [Box(columns[-1], top / 2)] * len(levels)
    for (level, column), stack in stacks.items():
        upper, lower = lanes[level]
        for place, i in enumerate(stack):
            offset = LANE_GAP / 2 + (place + 0.5) * SLOT
            boxes[i] = Box(column, lower - offset if column in upward else upper + offset)
    return boxes, lanes


def _box(axes, box: Box, line: show.Line) -> None:
    from matplotlib.patches import FancyBboxPatch, Rectangle

    x, (_, _, name, _) = box.column * COLUMN, line.row
    inside = bool(split_block(name))
    whole = line.attention and not inside
    shape = FancyBboxPatch(
        (x, box.y - HEIGHT / 2), WIDTH, HEIGHT, boxstyle="round,pad=0,rounding_size=0.07", linewidth=1,
        facecolor=ATTENTION if whole else PLAIN, edgecolor=ATTENTION if line.attention else FRAME, zorder=3,
    )  # fmt: skip
    axes.add_patch(shape)
    if inside:
        band = Rectangle((x + WIDTH - 0.14, box.y - HEIGHT / 2), 0.14, HEIGHT, color=ATTENTION, zorder=4)
        axes.add_patch(band)
        band.set_clip_path(shape)
    ink = "white" if whole else "#1f2937"
    label = name.removeprefix("nn.") + (f" ×{line.row[1]}" if line.row[1] > 1 else "")
    axes.text(x + 0.07, box.y, f"{line.number}", fontsize=7, color=ink, va="center", alpha=0.75, zorder=5)
    axes.text(x + 0.3, box.y, label, fontsize=8.5, color=ink, va="center", zorder=5,
              weight="bold" if line.attention else "normal")  # fmt: skip
    if line.layer.channels:
        right = x + WIDTH - (0.2 if inside else 0.07)
        axes.text(
            right, box.y, str(line.layer.channels), fontsize=7, color=ink, va="center", ha="right", alpha=0.75, zorder=5
        )


def _edge(axes, source: Box, target: Box, attention: bool) -> None:
    from matplotlib.patches import FancyArrowPatch

    x0, x1 = source.column * COLUMN, target.column * COLUMN
    if source.column == target.column and abs(source.y - target.y) < 3 * SLOT:
        sign = 1 if target.y > source.y else -1
        start = (x0 + WIDTH / 2, source.y + sign * HEIGHT / 2)
        stop = (x0 + WIDTH / 2, target.y - sign * HEIGHT / 2)
        bend = "arc3"
    elif source.column == target.column:
        start, stop = (x0 + WIDTH, source.y), (x0 + WIDTH, target.y)
        bend = f"arc3,rad={-0.3 if target.y > source.y else 0.3}"
    else:
        start, stop = (x0 + WIDTH, source.y), (x1, target.y)
        bend = "arc3" if target.column > source.column else "arc3,rad=0.2"
    axes.add_patch(
        FancyArrowPatch(
            start, stop, connectionstyle=bend, arrowstyle="-|>", mutation_scale=8, shrinkA=0, shrinkB=0,
            linewidth=1.4 if attention else 1.0, color=ATTENTION if attention else EDGE, zorder=2,
        )
    )  # fmt: skip


def _heading(axes, model: dict, lines: list[show.Line], width: float) -> None:
    name = model.get("yaml_file") or "model"
    axes.text(-1.15, -0.62, Path(name).stem, fontsize=15, weight="bold", color="#1f2937", va="center")
    texts = show.summary(model, lines)
    axes.text(-1.15, -0.28, "   ".join(texts), fontsize=9, color="#4a5565", va="center")
