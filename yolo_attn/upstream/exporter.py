"""Seam: an exported ONNX file names its attention, and counts only after it agreed with PyTorch."""

import contextlib
import functools
from collections.abc import Iterator
from pathlib import Path

import torch
from ultralytics.engine.exporter import Exporter, NMSModel, export_formats
from ultralytics.utils import LOGGER, colorstr

from yolo_attn.errors import AttentionError
from yolo_attn.export.parity import check_onnx
from yolo_attn.nn import Deployed
from yolo_attn.tolerance import TOLERANCE

_export_onnx = Exporter.export_onnx
NEEDED = ("args", "file", "im", "imgsz", "metadata", "model")  # what the wrapper reads of an Exporter


@functools.wraps(_export_onnx)
def export_onnx(self, *args, **kwargs):
    if missing := [name for name in NEEDED if not hasattr(self, name)]:
        raise AttentionError(f"the exporter of this ultralytics has no {', '.join(missing)}")
    if not (attention := describe_attention(self.model)):
        return _export_onnx(self, *args, **kwargs)
    self.metadata["attention"] = attention
    with kept_if_it_fails(Path(self.file).with_suffix(".onnx")):
        file = _export_onnx(self, *args, **kwargs)
        check(self, Path(file))
    return file


def describe_attention(model: torch.nn.Module) -> str:
    """Returns each attention layer with its options, for instance `model.9 GAM(256, reduction=4)`; empty if none."""
    return "; ".join(f"{name} {m.source}" for name, m in model.named_modules() if isinstance(m, Deployed))


def check(exporter, file: Path) -> None:
    """Compares `file` with the exporter's model on fresh images, the exported size and, where dynamic, another.

    Raises:
        AttentionError: They differ.
    """
    prefix = colorstr("yolo_attn:")
    if exporter.args.quantize == 8:
        LOGGER.info(
            f"{prefix} not compared with PyTorch: INT8 rounds by design; measure it with 'yolo val model={file}'"
        )
        return
    dtype = "float16" if exporter.args.quantize == 16 else "float32"
    model = NMSModel(exporter.model, exporter.args) if exporter.args.nms else exporter.model
    # torch's exporter puts the mode back that the wrapper came in, which is training's.
    largest = check_onnx(file, model.eval(), images(exporter), dtype, score_columns(exporter))
    LOGGER.info(f"{prefix} ONNX agrees with PyTorch ✅ largest error {largest:.1e}, tolerance {TOLERANCE[dtype]:.0e}")


def score_columns(exporter) -> slice | None:
    """Returns where scores stand in an output that lists detections, or None where the output is no such list."""
    if exporter.metadata["head"] == "RTDETRDecoder":
        return slice(4, None)  # a score for each class, behind the box
    return slice(4, 5) if exporter.args.nms or exporter.metadata["end2end"] else None


def images(exporter) -> Iterator[torch.Tensor]:
    """Yields random images `(N, C, H, W)` in 0…1: two of the exported size, and of another if dynamic."""
    like = exporter.im
    shapes = [tuple(like.shape)] * 2
    if exporter.args.dynamic:
        stride = int(exporter.metadata["stride"])
        shapes += [(like.shape[0] + 1, like.shape[1], like.shape[2] + stride, max(like.shape[3] - stride, stride))]
    generator = torch.Generator().manual_seed(0)
    for shape in shapes:
        yield torch.rand(shape, generator=generator).to(like)


@contextlib.contextmanager
def kept_if_it_fails(file: Path) -> Iterator[None]:
    """Sets an existing `file` aside and puts it back when the block raises; what the block wrote is removed then."""
    aside = file.with_name(f".{file.name}.before")
    if file.exists():
        file.replace(aside)
    try:
        yield
    except BaseException:
        file.unlink(missing_ok=True)
        if aside.exists():
            aside.replace(file)
        raise
    if aside.exists() and not file.exists():  # an INT8 export writes beside it, and takes its FP32 step away
        aside.replace(file)
    aside.unlink(missing_ok=True)


def install() -> None:
    """Lets the exporter check its ONNX files."""
    Exporter.export_onnx = export_onnx


def uninstall() -> None:
    """Puts the exporter's own method back."""
    Exporter.export_onnx = _export_onnx


def canary() -> None:
    """Looks where the exporter will look. The values are compared at every export, by `check`.

    Raises:
        AttentionError: The exporter would not come by.
    """
    if Exporter.export_onnx is not export_onnx or "onnx" not in export_formats()["Argument"]:
        raise AttentionError("the exporter of this ultralytics writes ONNX by another method")
