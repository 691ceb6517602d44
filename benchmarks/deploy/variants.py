"""The networks that are compared, as ONNX files: a base without attention, with the form people paste, with ours."""

from pathlib import Path
from typing import Any

import torch
import yaml
from ultralytics import YOLO

import yolo_attn
from tests.support.pasted import paste
from yolo_attn.nn import Attention

VARIANTS: dict[str, tuple[str, dict]] = {
    "GAM": ("gam", {}),
    "CBAM": ("cbam", {}),
    "ECA": ("eca", {}),
    "CoordAtt": ("coordatt", {}),
    "SE": ("se", {}),
}
LIGHTER = {"GAM groups=4": ("gam", {"groups": 4}), "GAM reduction=16": ("gam", {"reduction": 16})}
SHAPE = (1, 3, 640, 640)


def export(
    base: str, attention: tuple[str, dict] | None, pasted: bool, folder: Path, name: str
) -> tuple[Path, list[str]]:
    """Returns an exported network and the module paths of its attention."""
    torch.manual_seed(0)
    source = folder / f"{name}.yaml"
    rows = yolo_attn.insert(f"{base}.yaml", attention[0], at="head", **attention[1]) if attention else None
    source.write_text(yaml.safe_dump(rows), encoding="utf-8")
    model: Any = YOLO(source if attention else f"{base}.yaml", task="detect")
    layers = [path for path, module in model.model.named_modules() if isinstance(module, Attention)]
    for path in layers if pasted else ():
        parent, _, child = path.rpartition(".")
        ours = model.model.get_submodule(path)
        theirs: Any = paste(ours)
        theirs.i, theirs.f, theirs.type, theirs.np = ours.i, ours.f, ours.type, ours.np
        setattr(model.model.get_submodule(parent), child, theirs)
    written = Path(model.export(format="onnx", imgsz=SHAPE[2]))
    return written.replace(folder / f"{name}.onnx"), layers
