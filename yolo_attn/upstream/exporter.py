"""Seam: an exported ONNX file is fused, names its attention, and counts only after it agreed with PyTorch."""

import contextlib
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from ultralytics.engine.exporter import Exporter, NMSModel, export_formats
from ultralytics.utils import LOGGER, TQDM, colorstr
from ultralytics.utils.patches import arange_patch

from yolo_attn.errors import AttentionError
from yolo_attn.export import pictures
from yolo_attn.export.parity import Agreement, check_onnx, found_again, references, runner, tensors
from yolo_attn.export.staging import beside
from yolo_attn.nn import Deployed
from yolo_attn.upstream import predictions

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
    return "; ".join(f"{name} {m.source}" for name, m in model.named_modules() if isinstance(m, Deployed))


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

    # `format=rtx` marks the exporter whose ONNX file is a step to its engine (yolo_attn/export/command.py).
    tensorrt = exporter.args.format == "engine" or getattr(exporter, "for_tensorrt", False)
    model, _ = fused.fuse(onnx.load(file), tensorrt=tensorrt)
    precision = exporter.args.quantize if exporter.args.format in ("onnx", "engine") else None
    to_half = precision == 16 and exporter.args.format == "onnx" and exporter.device.type == "cpu"
    model, agreement = checked(exporter, model, file.name, to_half)
    onnx.save(model, file)
    LOGGER.info(
        f"{PREFIX} ONNX agrees with PyTorch ✅ largest error {agreement.error:.1e}, PyTorch's own {agreement.own:.1e}, "
        f"tolerance {agreement.allowed:.0e}{same_boxes(exporter, file)}"
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


def checked(exporter, model, name: str, to_half: bool) -> tuple[Any, Agreement]:
    """Compares an exported graph with the exporter's model, and brings it to FP16 if asked to.

    Returns:
        The graph, and how closely it agrees.

    Raises:
        AttentionError: They differ.
    """
    from yolo_attn.export import half, selection

    like, lists = exporter.im, predictions.lists(exporter)
    others = other_shapes(exporter) if exporter.args.dynamic else []
    few = like.shape[2:].numel() * sum(p.numel() for p in exporter.model.parameters()) > pictures.MANY
    with predictions.unselected(exporter) as network:
        against = references(network, pictures.pictures(like, few, others), lists)
    dtype = "float16" if like.dtype == torch.float16 else "float32"
    if not predictions.selects(exporter):
        agreement = check_onnx(model, against, dtype, lists=lists, name=name)
        return half.checked(model, against, "", lists=lists, name=name) if to_half else (model, agreement)

    entering = selection.predictions_of(model, like, against[0].expected[0].shape)
    agreement = check_onnx(selection.up_to(model, entering), against, dtype, name=name)
    if dtype == "float16":
        return model, agreement
    if to_half:
        model, agreement = half.checked(model, against, entering, name=name)
    if exporter.args.nms and exporter.args.dynamic:
        LOGGER.warning(
            f"{PREFIX} NMS in the graph looks at {like.shape[0]} images of a batch, as in Ultralytics' own file: the "
            "others have no detections; batch=… sets the number"
        )
    if predictions.class_map(exporter):
        invent = selection.any_scores
    else:
        classes, oriented = len(exporter.metadata["names"]), exporter.model.task == "obb"
        invent = functools.partial(selection.any_objects, classes=classes, oriented=oriented)
    selection.check_selection(model, entering, against, invent, predictions.selection(exporter))
    return model, agreement


def other_shapes(exporter) -> list[tuple[int, ...]]:
    """Returns shapes `(N, C, H, W)` beside the exported one that a dynamic file takes."""
    batch, channels, height, width = exporter.im.shape
    stride = int(exporter.metadata["stride"])
    more = max(batch - 1, 1) if exporter.args.nms else batch + 1  # NMS looks at as many images as it was traced with
    larger, smaller = (more, channels, height + stride, width), (batch, channels, stride, max(width - stride, stride))
    return [larger] if exporter.metadata["end2end"] else [larger, smaller]  # of fewer places it cannot take the best


def same_boxes(exporter, file: Path) -> str:
    """Returns how many of the boxes that PyTorch finds in the photograph the file finds, for the end of a sentence."""
    if exporter.model.task not in ("detect", "segment", "pose") or predictions.lists(exporter):
        return ""
    picture = pictures.photograph(exporter.im)
    model = NMSModel(exporter.model, exporter.args).eval() if exporter.args.nms else exporter.model
    with torch.inference_mode():
        expected = boxes(exporter, tensors(model(picture))[0])
    found = found_again(expected, boxes(exporter, torch.from_numpy(runner(file)(picture)[0])))
    return f"; in bus.jpg {found} of {len(expected)} boxes the same"


def boxes(exporter, output: torch.Tensor) -> torch.Tensor:
    """Returns the detections `(n, 6)` in the first image of a model's output, as `yolo predict` finds them."""
    from ultralytics.utils.nms import non_max_suppression

    arguments, names = exporter.args, exporter.metadata["names"]
    found = non_max_suppression(
        output[:1].float().cpu(),
        arguments.conf or 0.25,
        arguments.iou,
        nc=len(names),
        end2end=bool(arguments.nms or exporter.metadata["end2end"]),
    )
    return found[0][:, :6]


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
