"""Seam: an exported ONNX file is fused, names its attention, and counts only after it agreed with PyTorch."""

import contextlib
import functools
from collections.abc import Iterator
from pathlib import Path

import torch
from ultralytics.engine.exporter import Exporter, NMSModel, export_formats
from ultralytics.utils import ASSETS, LOGGER, TQDM, colorstr
from ultralytics.utils.patches import arange_patch

from yolo_attn.errors import AttentionError
from yolo_attn.export.parity import check_onnx, found_again, runner, tensors
from yolo_attn.export.staging import beside
from yolo_attn.nn import Deployed
from yolo_attn.tolerance import TOLERANCE

_export_onnx = Exporter.export_onnx
NEEDED = (
    "args",
    "device",
    "file",
    "im",
    "imgsz",
    "metadata",
    "model",
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

    from yolo_attn.export import fused, half, int8

    # `format=rtx` marks the exporter whose ONNX file is a step to its engine (yolo_attn/export/command.py).
    tensorrt = exporter.args.format == "engine" or getattr(exporter, "for_tensorrt", False)
    model, _ = fused.fuse(onnx.load(file), tensorrt=tensorrt)
    precision = exporter.args.quantize if exporter.args.format in ("onnx", "engine") else None
    if precision == 16 and exporter.args.format == "onnx" and exporter.device.type == "cpu":
        LOGGER.info(f"{PREFIX} converting to FP16, sums of squares in FP32...")
        model = half.convert(model)
    onnx.save(model, file)
    check(exporter, file, "float16" if exporter.args.format == "onnx" and precision == 16 else "float32")
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


def check(exporter, file: Path, dtype: str) -> None:
    """Compares `file` with the exporter's model on fresh images and a photograph, where dynamic of another size too.

    Raises:
        AttentionError: They differ.
    """
    model = NMSModel(exporter.model, exporter.args) if exporter.args.nms else exporter.model
    # torch's exporter puts the mode back that the wrapper came in, which is training's.
    model = model.eval()
    picture = photograph(exporter)
    largest = check_onnx(file, model, [*images(exporter), picture], dtype, score_columns(exporter))
    said = f"largest error {largest:.1e}, tolerance {TOLERANCE[dtype]:.0e}"
    if exporter.model.task in ("detect", "segment", "pose") and exporter.metadata["head"] != "RTDETRDecoder":
        with torch.inference_mode():
            expected = boxes(exporter, tensors(model(picture))[0])
        found = found_again(expected, boxes(exporter, torch.from_numpy(runner(file)(picture)[0])))
        said += f"; in bus.jpg {found} of {len(expected)} boxes the same"
    LOGGER.info(f"{PREFIX} ONNX agrees with PyTorch ✅ {said}")


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


def score_columns(exporter) -> slice | None:
    """Returns where scores stand in an output that lists detections, or None where the output is no such list."""
    if exporter.metadata["head"] == "RTDETRDecoder":
        return slice(4, None)  # a score for each class, behind the box
    return slice(4, 5) if exporter.args.nms or exporter.metadata["end2end"] else None


def images(exporter) -> Iterator[torch.Tensor]:
    """Yields images `(N, C, H, W)` in 0…1: noise, two of the exported size, another where dynamic."""
    like = exporter.im
    shapes = [tuple(like.shape)] * 2
    if exporter.args.dynamic:
        stride = int(exporter.metadata["stride"])
        shapes += [(like.shape[0] + 1, like.shape[1], like.shape[2] + stride, max(like.shape[3] - stride, stride))]
    generator = torch.Generator().manual_seed(0)
    for shape in shapes:
        yield torch.rand(shape, generator=generator).to(like)


def photograph(exporter) -> torch.Tensor:
    """Returns the picture that Ultralytics ships, as `yolo predict` would hand it to the model."""
    import cv2
    from ultralytics.data.augment import LetterBox

    like = exporter.im
    picture = cv2.imread(str(ASSETS / "bus.jpg"), cv2.IMREAD_COLOR_RGB)
    rgb = torch.from_numpy(LetterBox(exporter.imgsz, auto=False)(image=picture)).permute(2, 0, 1)
    channels = rgb.repeat(-(-like.shape[1] // 3), 1, 1)[: like.shape[1]]  # a multispectral model sees them again
    return (channels / 255).expand(like.shape[0], -1, -1, -1).to(like)


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
