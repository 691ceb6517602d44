"""What releases of Ultralytics do differently: asked for by what is there, not by a version number.

The range begins at 8.3.0. Each function names the releases that it is for, in which `python -m tests.compat` runs the
tests of everything that comes through here.
"""

import contextlib
import functools
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn
from ultralytics import utils

from yolo_attn.errors import AttentionError

ARANGE = ("ultralytics.utils.patches.arange_patch", "ultralytics.engine.exporter.arange_patch")  # 8.3.50 has none
SELECTION = ("ultralytics.utils.nms.non_max_suppression", "ultralytics.utils.ops.non_max_suppression")  # to 8.3.150
MUON = "ultralytics.optim.muon"  # since 8.4.0
NMS = "ultralytics.engine.exporter.NMSModel"
CALIBRATION = "ultralytics.utils.export.onnx.onnx_calibration_reader"
ITEMS = "ultralytics.engine.exporter.Exporter._transform_fn"


def found(*places: str) -> Any | None:
    """Returns what the first of several dotted names stands for: the same thing, under its name in each release."""
    for place in places:
        with contextlib.suppress(ImportError, AttributeError):
            return pkgutil.resolve_name(place)
    return None


def named(*places: str) -> Any:
    """Returns what `found` returns.

    Raises:
        AttentionError: Nothing is there, as may be in a release to come.
    """
    if (there := found(*places)) is None:
        raise AttentionError(f"this ultralytics has no {' and no '.join(places)}")
    return there


def read_yaml(file: str | Path) -> dict:
    """Returns a YAML's content as Ultralytics reads it, by one of its two spellings."""
    read: Any = found("ultralytics.utils.YAML.load", "ultralytics.utils.yaml_load")
    return read(file)


def classes(module: Any, *names: str) -> tuple[type, ...]:
    """Returns those classes of `module` that the release has: 8.3.50 has no YOLOE."""
    return tuple(getattr(module, name) for name in names if hasattr(module, name))


def muon_of_rows(update: Callable) -> Callable | None:
    """Returns MuSGD's update for tensors of three axes, too, such as ECA's kernel; None where it takes them already.

    8.4.0 to 8.4.100 send every weight there and take matrices and kernels of two axes alone; 8.4.150 flattens all.
    """
    try:
        update(torch.ones(1, 1, 3), torch.zeros(1, 1, 3))
        return None
    except AssertionError:
        pass

    @functools.wraps(update)
    def of_rows(grad, momentum, *args, **kwargs):
        if grad.dim() != 3:
            return update(grad, momentum, *args, **kwargs)
        return update(grad.flatten(1), momentum.flatten(1), *args, **kwargs).view(grad.shape)

    return of_rows


# The exporter.


def check_exporter() -> None:
    """Looks for what the functions below ask of Ultralytics.

    Raises:
        AttentionError: Something is in none of the places that the releases up to now have it.
    """
    mend = found(*ARANGE)
    if mend and (unknown := parameters(mend) - {"args", "dynamic", "half", "quantize", "fmt"}):
        raise AttentionError(f"{ARANGE[0]} of this ultralytics asks for {', '.join(sorted(unknown))}")
    if not {"quantize", "half"} & set(utils.DEFAULT_CFG_DICT):
        raise AttentionError("this ultralytics has neither 'quantize' nor 'half'")
    named(*SELECTION)
    if "quantize" in utils.DEFAULT_CFG_DICT:
        named(ITEMS)


def precision(exporter: Any) -> int | None:
    """Returns the bits that an ONNX file is to have: 8, 16, or None for 32.

    In 8.4.50 and before, it is `half` for FP16, and `int8` never means an ONNX file.
    """
    arguments = exporter.args
    if hasattr(arguments, "quantize"):
        return arguments.quantize if arguments.format in ("onnx", "engine") else None
    return 16 if arguments.half and arguments.format == "onnx" else None


@contextlib.contextmanager
def in_float32(exporter: Any) -> Iterator[None]:
    """Lets the exporter write FP32 where it would convert the file to FP16 or INT8 at the end: that comes after fusing.

    On a GPU the model itself is in half precision already, and so is the file.
    """
    key = "quantize" if hasattr(exporter.args, "quantize") else "half"
    asked = getattr(exporter.args, key)
    try:
        with arange_in_half(exporter), by_torchscript():
            setattr(exporter.args, key, None)
            yield
    finally:
        setattr(exporter.args, key, asked)


def arange_in_half(exporter: Any) -> contextlib.AbstractContextManager:
    """Returns Ultralytics' mend of `torch.arange` in FP16, which it makes where it is told of FP16."""
    if (mend := found(*ARANGE)) is None:
        return contextlib.nullcontext()
    arguments = exporter.args
    if "args" in parameters(mend):  # as in 8.4.0
        return mend(arguments)
    known = {"dynamic": bool(arguments.dynamic), "fmt": arguments.format, "half": getattr(arguments, "half", False)}
    known["quantize"] = getattr(arguments, "quantize", None)
    return mend(**{name: value for name, value in known.items() if name in parameters(mend)})


@contextlib.contextmanager
def by_torchscript() -> Iterator[None]:
    """Lets `torch.onnx.export` trace where nobody says how. 8.3.150 and before do not, and mean tracing.

    torch 2.9 made another exporter its own choice; the rewrites are for a traced graph, as are Ultralytics' own.
    """
    export = torch.onnx.export

    @functools.wraps(export)
    def traced(*args, **kwargs):
        return export(*args, **{"dynamo": False, **kwargs})

    torch.onnx.export = traced
    try:
        yield
    finally:
        torch.onnx.export = export


def end2end(exporter: Any) -> bool:
    """Tells whether the exported model selects its detections itself; 8.4.50 and later say so in the file."""
    return bool(exporter.metadata.get("end2end", getattr(exporter.model, "end2end", False)))


def head(exporter: Any) -> str:
    """Returns the name of the class of a model's last layer."""
    return type(exporter.model.model[-1]).__name__


def with_nms(model: nn.Module, arguments: Any) -> nn.Module:
    """Returns `model` with non-maximum suppression behind it, as an exporter's arguments say, where `has_nms`."""
    return named(NMS)(model, arguments)


def has_nms(exporter: Any) -> bool:
    """Tells whether non-maximum suppression goes into an exporter's file. 8.3.50 passes over `nms=True` in ONNX."""
    return bool(exporter.args.nms) and found(NMS) is not None


def postprocess(layer: Any, predictions: torch.Tensor) -> torch.Tensor:
    """Returns what an end-to-end head selects of `(N, places, values)`; in 8.3 its settings are handed in."""
    if "max_det" in parameters(layer.postprocess):
        return layer.postprocess(predictions, layer.max_det, layer.nc)
    return layer.postprocess(predictions)


def non_max_suppression(*args, **kwargs) -> list[torch.Tensor]:
    """Returns Ultralytics' own selection of detections."""
    select = named(*SELECTION)
    return select(*args, **{key: value for key, value in kwargs.items() if key in parameters(select)})


def calibration(exporter: Any, images: Any) -> Any:
    """Returns a reader of calibration images for ONNX Runtime; where there is `quantize`, there is this."""
    return named(CALIBRATION)(images, exporter._transform_fn)


def parameters(function: Callable) -> set[str]:
    """Returns the names of a function's parameters, seen through what wraps it."""
    return set(inspect.signature(function).parameters)
