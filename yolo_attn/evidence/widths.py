"""The base, widened until it takes as long as a model with attention: what the same time buys without any."""

from pathlib import Path

from yolo_attn import insertion
from yolo_attn.evidence import latency
from yolo_attn.evidence.cells import WIDE, Cell
from yolo_attn.upstream import layout

STEPS = 5  # of the bisection: a 32nd of the way to twice the width, finer than channels, which go in steps of 8


def widened(base: Cell, slow: Cell, imgsz: int, folder: Path) -> Cell | str:
    """Returns the cell of the widened base, or why there is none.

    Args:
        base: The base.
        slow: The model whose time it shall take.
        imgsz: The image's side in pixels.
        folder: Where its YAML is written.
    """
    model = layout.load(base.model)
    scale = model.get("scale")
    if scale not in model.get("scales", {}):
        return f"{base.model} has no scales whose width could grow"
    stem = f"{base.name}-wide"
    file = folder / f"{stem}.yaml"
    if file.is_file():
        return Cell(stem, str(file), WIDE)
    depth, width, most = model["scales"][scale]
    low, high, found = width, 2 * width, width
    folder.mkdir(parents=True, exist_ok=True)
    for _ in range(STEPS):
        middle = (low + high) / 2
        trial = folder / f".{stem}.yaml"
        widths = {**model["scales"], scale: [depth, round(middle, 4), most]}
        source = f"{base.model}, widened from {width} to {middle:.4g} to take as long as {slow.name}"
        trial.write_text(insertion.text({**model, "scales": widths}, stem, source), encoding="utf-8")
        times = latency.of_models({"slow": slow.model, "wide": str(trial)}, imgsz)
        if times["wide"] <= times["slow"]:
            low = found = middle
            trial.replace(file)
        else:
            high = middle
            trial.unlink()
    return Cell(stem, str(file), WIDE) if found > width else f"{base.name} gets slower than {slow.name} by any widening"
