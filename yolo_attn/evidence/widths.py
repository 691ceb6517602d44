"""The base, widened until it takes as long as a model with attention: what the same time buys without any."""

import tempfile
from pathlib import Path

from ultralytics.utils import TQDM

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
    trial = folder / f".{stem}.yaml"
    with tempfile.TemporaryDirectory() as name:
        files = {"slow": latency.file_of(slow.model, imgsz, Path(name) / "slow")}
        for step in TQDM(range(STEPS), desc=f"widening {base.name}", disable=False):
            middle = (low + high) / 2
            widths = {**model["scales"], scale: [depth, round(middle, 4), most]}
            source = f"{base.model}, widened from {width} to {middle:.4g} to take as long as {slow.name}"
            trial.write_text(insertion.text({**model, "scales": widths}, stem, source), encoding="utf-8")
            files["wide"] = latency.file_of(str(trial), imgsz, Path(name) / str(step))
            times = latency.of_files(files)
            if times["wide"] <= times["slow"]:
                low = found = middle
                trial.replace(file)
            else:
                high = middle
                trial.unlink()
    if found > width:
        return Cell(stem, str(file), WIDE)
    return f"{base.name} gets slower than {slow.name} by any widening"
