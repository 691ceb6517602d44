"""Seam: an exported ONNX file is fused, names its attention, and counts only after it agreed with PyTorch."""

import contextlib
import functools
from collections.abc import Iterator
from pathlib import Path

import torch
from ultralytics.engine.exporter import Exporter, export_formats
from ultralytics.utils import LOGGER, TQDM, colorstr
from ultralytics.utils.patches import arange_patch

from yolo_attn.errors import AttentionError
from yolo_attn.export.staging import beside
from yolo_attn.nn import Deployed
from yolo_attn.nn.base import operators

_export_onnx = Exporter.export_onnx
NEEDED = (
    "args",
    "device",
    "file",
    "im",
    "metadata",
    "model",
    "output_shape",
    "_transform_fn",
    "get_int8_calibration_dataloader",
)
PREFIX = colorstr("yolo_attn:")


@functools.wraps(_export_onnx)
def export_onnx(self, *args, **kwargs):
    if missing := [name for name in NEEDED if not hasattr(self, name)]:
        raise AttentionError(f"the exporter of this ultralytics has no {', '.join(missing)}")
    if not (attention := describe_attention(self.model)):
        return _export_onnx(self, *args, **kwargs)
    self.metadata["attention"] = attention
    goal = Path(self.file)
    with beside(goal) as folder:
        self.file = folder / goal.name
        try:
            with in_float32(self):
                file = Path(_export_onnx(self, *args, **kwargs))
            file = finish(self, file)
        finally:
            self.file = goal
        goal = file.replace(goal.with_name(file.name))
    LOGGER.info(f"{colorstr('ONNX:')} saved as '{goal}' ({goal.stat().st_size / 1e6:.1f} MB)")
    return str(goal)


def describe_attention(model: torch.nn.Module) -> str:
    """Returns each attention layer with its options, for instance `model.9 GAM(256, reduction=4)`; empty if none."""
    return "; ".join(f"{name} {m.source}" for name, m in operators(model).items() if isinstance(m, Deployed))


@contextlib.contextmanager
def in_float32(exporter) -> Iterator[None]:
    """Lets the exporter write FP32 where it would convert the file to FP16 or INT8 at the end: that comes after fusing.

    On a GPU the model itself is in half precision already, and so is the file.
    """
    arguments, precision = exporter.args, exporter.args.quantize
    try:
        with arange_patch(bool(arguments.dynamic), precision, arguments.format):
            arguments.quantize = None
            yield
    finally:
        arguments.quantize = precision


def finish(exporter, file: Path) -> Path:
    """Fuses an exported file, compares it with the exporter's model, and brings it to its precision.

    Returns:
        The finished file, in the same folder.

    Raises:
        AttentionError: It differs from PyTorch.
    """
    import onnx

    from yolo_attn.export import fused, int8
    from yolo_attn.upstream.agreement import checked, same_boxes

    # `format=rtx` marks the exporter whose ONNX file is a step to its engine (yolo_attn/export/command.py).
    tensorrt = exporter.args.format == "engine" or getattr(exporter, "for_tensorrt", False)
    model, _ = fused.fuse(onnx.load(file), tensorrt=tensorrt)
    precision = exporter.args.quantize if exporter.args.format in ("onnx", "engine") else None
    to_half = precision == 16 and exporter.args.format == "onnx" and exporter.device.type == "cpu"
    model, call = checked(exporter, model, file.name, to_half)
    onnx.save(model, file)
    LOGGER.info(
        f"{PREFIX} ONNX agrees with PyTorch ✅ largest error {call.error:.1e}, PyTorch's own {call.own:.1e}, "
        f"tolerance {call.allowed:.0e}{same_boxes(exporter, file)}"
    )
    if exporter.args.nms and exporter.args.dynamic:
        LOGGER.warning(
            f"{PREFIX} NMS in the graph looks at {exporter.im.shape[0]} images of a batch and finds nothing in others, "
            "as in Ultralytics' own file; batch=… sets the number"
        )
    if precision != 8 or getattr(exporter, "qat", False):
        return file

    from ultralytics.utils.export.onnx import onnx_calibration_reader

    images = TQDM(exporter.get_int8_calibration_dataloader(PREFIX), desc="calibrating INT8")
    output = file.with_name(f"{file.stem}_int8.onnx")
    int8.quantize(file, output, onnx_calibration_reader(images, exporter._transform_fn))
    if tensorrt:
        onnx.save(int8.for_tensorrt(onnx.load(output)), output)
    LOGGER.info(
        f"{PREFIX} INT8 with the gates in float; it rounds by design, so it is not compared with PyTorch: measure it "
        f"with 'yolo val model={output.name}'"
    )
    return output


def install() -> None:
    """Lets the exporter fuse and check its ONNX files."""
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
