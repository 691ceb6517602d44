"""Seam: an exported ONNX file is fused, names its attention, and counts only after it agreed with PyTorch."""

import functools
import inspect
from pathlib import Path

import torch
from ultralytics.engine.exporter import Exporter, export_formats
from ultralytics.utils import LOGGER, TQDM, colorstr

from yolo_attn.errors import AttentionError
from yolo_attn.export.staging import beside
from yolo_attn.nn import Deployed
from yolo_attn.nn.base import operators
from yolo_attn.upstream import releases

_export_onnx = Exporter.export_onnx
NEEDED = ("args", "device", "file", "im", "metadata", "model", "output_shape")  # what `Exporter.__call__` sets
PREFIX = colorstr("yolo_attn:")


@functools.wraps(_export_onnx)
def export_onnx(self, *args, **kwargs):
    if folder := getattr(self, "into", None):  # of an exporter whose file is a step: yolo_attn/export/command.py
        self.file = folder / Path(self.file).name
    if not (attention := describe_attention(getattr(self, "model", None))):
        return _export_onnx(self, *args, **kwargs)
    if missing := [name for name in NEEDED if not hasattr(self, name)]:
        raise AttentionError(f"the exporter of this ultralytics has no {', '.join(missing)}")
    self.metadata["attention"] = attention
    goal = Path(self.file)
    with beside(goal) as folder:
        self.file = folder / goal.name
        try:
            with releases.in_float32(self):
                written = _export_onnx(self, *args, **kwargs)
            file, *more = written if isinstance(written, tuple) else (written,)  # up to 8.3.100 with the graph
            file = finish(self, Path(file))
        finally:
            self.file = goal
        goal = file.replace(goal.with_name(file.name))
    LOGGER.info(f"{colorstr('ONNX:')} saved as '{goal}' ({goal.stat().st_size / 1e6:.1f} MB)")
    return (str(goal), *more) if more else str(goal)


def describe_attention(model: object) -> str:
    """Returns each attention layer with its options, for instance `model.9 GAM(256, reduction=4)`; empty if none."""
    if not isinstance(model, torch.nn.Module):
        return ""
    return "; ".join(f"{name} {m.source}" for name, m in operators(model).items() if isinstance(m, Deployed))


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
    reader = "tensorrt" if tensorrt else "onnx" if exporter.args.format == "onnx" else "converter"
    model, _ = fused.fuse(onnx.load(file), reader=reader)
    precision = releases.precision(exporter)
    to_half = precision == 16 and exporter.args.format == "onnx" and exporter.device.type == "cpu"
    model, call = checked(exporter, model, file.name, to_half)
    onnx.save(model, file)
    LOGGER.info(
        f"{PREFIX} ONNX agrees with PyTorch ✅ largest error {call.error:.1e}, PyTorch's own {call.own:.1e}, "
        f"tolerance {call.allowed:.0e}{same_boxes(exporter, file)}"
    )
    if exporter.args.nms and not releases.has_nms(exporter):
        LOGGER.warning(f"{PREFIX} this ultralytics writes ONNX files without NMS; later ones have nms=True")
    if releases.has_nms(exporter) and exporter.args.dynamic:
        LOGGER.warning(
            f"{PREFIX} NMS in the graph looks at {exporter.im.shape[0]} images of a batch and finds nothing in others, "
            "as in Ultralytics' own file; batch=… sets the number"
        )
    if precision != 8 or getattr(exporter, "qat", False):
        return file

    images = TQDM(exporter.get_int8_calibration_dataloader(PREFIX), desc="calibrating INT8")
    output = file.with_name(f"{file.stem}_int8.onnx")
    int8.quantize(file, output, releases.calibration(exporter, images))
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
    """Looks where the exporter will look. The values are compared at every export, by `checked`.

    Raises:
        AttentionError: The exporter would not come by, or would not find what it needs.
    """
    if Exporter.export_onnx is not export_onnx or "onnx" not in export_formats()["Argument"]:
        raise AttentionError("the exporter of this ultralytics writes ONNX by another method")
    stored: set[str] = set()
    for method in (Exporter.__init__, Exporter.__call__):
        stored.update(inspect.unwrap(method).__code__.co_names)
    if missing := [name for name in NEEDED if name not in stored]:
        raise AttentionError(f"the exporter of this ultralytics has no {', '.join(missing)}")
    releases.check_exporter()
