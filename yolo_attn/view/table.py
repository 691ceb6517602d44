"""`yolo-attn show`: a model's rows with what each costs, what attention adds to the base, and what looks unintended."""

from typing import NamedTuple

from yolo_attn.errors import AttentionError
from yolo_attn.surgery import recipe
from yolo_attn.surgery.places import Layer
from yolo_attn.surgery.rows import is_attention
from yolo_attn.upstream import layout, oversights

_HEADING = f"{'row':>5}  {'from':>14}  {'n':>2}  {'module':<24}{'level/stride':<14}" + (
    f"{'channels':>8}{'parameters':>13}{'GFLOPs':>9}"
)
MARK = "◆"  # before a row that is attention, or has it inside
WARNING = "⚠️"  # before what is probably not meant


class Line(NamedTuple):
    """One row of a model: its number, its YAML row, what becomes of it, and whether it is or holds attention."""

    number: int
    row: list
    layer: Layer
    attention: bool


def lines(model: dict, size: int = 640) -> list[Line]:
    """Returns every row of a model dict with its cost at an image of `size`."""
    rows = recipe.all_rows(model)
    layers = layout.layers(model, size, count=True)
    return [Line(i, row, layer, is_attention(row[2])) for i, (row, layer) in enumerate(zip(rows, layers, strict=True))]


def text(model: str | dict, size: int = 640) -> str:
    """Returns the table of a model, a YAML's name or a model dict, with its totals.

    Raises:
        AttentionError: The model cannot be built, or has no such size.
    """
    loaded = layout.load(model)
    try:
        stride = max(layer.stride or 1 for layer in layout.layers(loaded))
    except AttentionError as error:
        raise AttentionError("; ".join([str(error), *oversights.lines(loaded)])) from None
    if size % stride:
        raise AttentionError(f"imgsz must be a multiple of {stride}, the largest stride of this model; got {size}")
    found = lines(loaded, size)
    name = loaded.get("yaml_file") or "model"
    scale = loaded.get("scale") or next(iter(loaded.get("scales") or {}), "")
    out = [
        f"{name}{f', scale {scale}' if scale else ''}, {size}×{size} pixels",
        "",
        _HEADING,
        *(_line(line) for line in found),
        "",
        *summary(loaded, found, size),
    ]
    if any(line.layer.flops is None for line in found):
        out.append("GFLOPs without the rows marked –: they need more than maps to run")
    out += [f"{WARNING} {line}" for line in oversights.lines(loaded)]
    return "\n".join(out)


def summary(model: dict, found: list[Line], size: int = 640) -> list[str]:
    """Returns what the model costs, what its base costs and what attention adds; the first alone without attention."""
    out = [f"total: {_total(found)}"]
    if any(line.attention for line in found):
        base = lines(recipe.remove(model), size)
        gone = [f"row {i}, {block}" for i, block in recipe.replaced(model).items()]
        named = f"base without {' and '.join(gone)}" if gone else "base"
        out += [f"{named}: {_total(base)}", f"attention adds {_difference(found, base)}"]
    return out


def _line(line: Line) -> str:
    f, n, name, _ = line.row
    layer = line.layer
    level = f"{layer.level}/{layer.stride}" if layer.stride else ""
    flops = "–" if layer.flops is None else f"{layer.flops / 1e9:.3f}"
    return (
        f"{MARK if line.attention else ' '}{line.number:>4}  {f!s:>14}  {n:>2}  {name:<24}{level:<14}"
        f"{layer.channels or '':>8}{layer.parameters:>13,}{flops:>9}"
    )


def _sums(found: list[Line]) -> tuple[int, float]:
    return sum(line.layer.parameters for line in found), sum(line.layer.flops or 0 for line in found) / 1e9


def _total(found: list[Line]) -> str:
    parameters, flops = _sums(found)
    return f"{len(found)} rows, {parameters:,} parameters, {flops:.2f} GFLOPs"


def _difference(found: list[Line], base: list[Line]) -> str:
    (parameters, flops), (base_parameters, base_flops) = _sums(found), _sums(base)
    return (
        f"{parameters - base_parameters:,} parameters ({_percent(parameters, base_parameters)}) "
        f"and {flops - base_flops:.3f} GFLOPs ({_percent(flops, base_flops)})"
    )


def _percent(new: float, old: float) -> str:
    return f"{100 * (new - old) / old:+.1f} %" if old else "–"
