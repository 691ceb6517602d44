"""`yolo-attn show -o my.svg`: a network drawn as columns, one pyramid level below the other, attention in colour.

The backbone runs down, the neck up and down again; the head stands on the right.
"""

from pathlib import Path
from typing import NamedTuple

from yolo_attn import registry
from yolo_attn.errors import AttentionError
from yolo_attn.export.staging import beside
from yolo_attn.surgery import recipe
from yolo_attn.surgery.rows import split_block
from yolo_attn.upstream import layout
from yolo_attn.view import table

ATTENTION, PLAIN, FRAME, EDGE = "#f28e2b", "#eef2f7", "#8a94a3", "#9aa5b4"
WIDTH, HEIGHT = 2.0, 0.36  # of a box, in inches
COLUMN, SLOT, LANE_GAP = 2.9, 0.5, 0.3  # from box to box, and between two levels


class Box(NamedTuple):
    """Where one row stands: its column, and the height of its middle, downwards from 0."""

    column: int
    y: float


def write(model: str | dict, file: str | Path, exist_ok: bool = False) -> None:
    """Draws a model, a YAML's name or a model dict, into an SVG, PNG or PDF.

    Raises:
        AttentionError: The file's name has another ending, or it is there already and `exist_ok` is not set.
    """
    file = Path(file)
    if file.suffix.lower() not in (".svg", ".png", ".pdf"):
        raise AttentionError(f"cannot draw into '{file}'; write -o my.svg, my.png or my.pdf")
    with beside(file, exist_ok) as folder:
        drawn = folder / file.name
        figure(layout.load(model)).savefig(drawn, dpi=150, bbox_inches="tight", facecolor="white")
        drawn.replace(file)


def figure(model: dict):
    """Returns the drawing as a figure of matplotlib."""
    from matplotlib.figure import Figure

    lines = table.lines(model)
    levels = _levels(model, lines)
    columns, upward = _columns(model, levels)
    boxes, lanes = _boxes(levels, columns, upward)
    width = COLUMN * max(columns) + WIDTH + 1.2
    height = max(bottom for _, bottom in lanes.values())
    fig = Figure(figsize=(width, height + 1.3))
    axes = fig.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set(xlim=(-1.2, width - 1.1), ylim=(height + 0.1, -1.2))
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
                _edge(axes, boxes, source, i, lines[source].attention)
    for line in lines[:-1]:
        _box(axes, boxes[line.number], HEIGHT, line)
    inputs = [boxes[source].y for source in recipe.sources(rows, len(rows) - 1)]
    middle = boxes[-1]._replace(y=(min(inputs) + max(inputs)) / 2)
    _box(axes, middle, max(inputs) - min(inputs) + HEIGHT, lines[-1])
    _heading(axes, model, lines)
    return fig


def _levels(model: dict, lines: list[table.Line]) -> list[int]:
    """Returns each row's pyramid level; a row that gives no single map stands where its first input does."""
    rows, levels = recipe.all_rows(model), list[int]()
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
    columns, column = [0], 0
    upward: set[int] = set()
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
    lanes: dict[int, tuple[float, float]] = {}
    top = 0.0
    for level in sorted(set(levels[:-1])):
        slots = max(len(stack) for (one, _), stack in stacks.items() if one == level)
        lanes[level] = (top, top + slots * SLOT + LANE_GAP)
        top = lanes[level][1]
    boxes = [Box(columns[-1], top / 2)] * len(levels)
    for (level, column), stack in stacks.items():
        upper, lower = lanes[level]
        for slot, i in enumerate(stack):
            offset = LANE_GAP / 2 + (slot + 0.5) * SLOT
            boxes[i] = Box(column, lower - offset if column in upward else upper + offset)
    return boxes, lanes


def _box(axes, box: Box, height: float, line: table.Line) -> None:
    from matplotlib.patches import FancyBboxPatch, Rectangle

    x, (_, _, name, _) = box.column * COLUMN, line.row
    inside = bool(split_block(name))
    whole = line.attention and not inside
    shape = FancyBboxPatch(
        (x, box.y - height / 2), WIDTH, height, boxstyle="round,pad=0,rounding_size=0.07", linewidth=1,
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
    axes.text(x + 0.32, box.y, label, fontsize=8.5 if len(label) < 17 else 6.5, color=ink, va="center", zorder=5,
              weight="bold" if line.attention else "normal")  # fmt: skip
    if line.layer.channels:
        right = x + WIDTH - (0.2 if inside else 0.07)
        axes.text(
            right, box.y, str(line.layer.channels), fontsize=7, color=ink, va="center", ha="right", alpha=0.75, zorder=5
        )


def _edge(axes, boxes: list[Box], source: int, target: int, attention: bool) -> None:
    from matplotlib.patches import FancyArrowPatch

    one, other = boxes[source], boxes[target]
    x0, x1 = one.column * COLUMN, other.column * COLUMN
    low, high = sorted((one.y, other.y))
    between = [box for box in boxes if box.column == one.column and low < box.y < high]
    bend = "arc3"
    if target == len(boxes) - 1:  # the head is as high as its inputs are apart
        start, stop = (x0 + WIDTH, one.y), (x1, one.y)
    elif one.column != other.column:
        start, stop = (x0 + WIDTH, one.y), (x1, other.y)
        bend = "arc3" if other.column > one.column else "arc3,rad=0.2"
    elif not between:
        half = HEIGHT / 2 if other.y > one.y else -HEIGHT / 2
        start, stop = (x0 + WIDTH / 2, one.y + half), (x0 + WIDTH / 2, other.y - half)
    else:
        start, stop = (x0 + WIDTH, one.y), (x0 + WIDTH, other.y)
        bend = f"arc3,rad={-0.3 if other.y > one.y else 0.3}"
    axes.add_patch(
        FancyArrowPatch(
            start, stop, connectionstyle=bend, arrowstyle="-|>", mutation_scale=8, shrinkA=0, shrinkB=0,
            linewidth=1.5 if attention else 1.0, color=ATTENTION if attention else EDGE, zorder=2,
        )
    )  # fmt: skip


def _heading(axes, model: dict, lines: list[table.Line]) -> None:
    name = Path(model.get("yaml_file") or "model").stem
    total, *more = table.summary(model, lines)
    axes.text(-1.15, -0.92, name, fontsize=15, weight="bold", color="#1f2937", va="center")
    for y, text in ((-0.56, "   ".join([total, *more[:1]])), (-0.28, "".join(more[1:]))):
        axes.text(-1.15, y, text, fontsize=9, color="#4a5565", va="center")
