"""Parity: a written ONNX file is run on pictures and compared with the PyTorch model it came from.

Both are measured against a run in float64. How far PyTorch itself is from it says what rounding explains: some 1e-7 of
the output for most pictures, but far more for one that a network makes much of, and then in any run-time.
"""

import contextlib
import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx
import onnxruntime
import torch
from torchvision.ops import box_iou
from ultralytics.utils import LOGGER

from yolo_attn.errors import AttentionError
from yolo_attn.tolerance import TOLERANCE, allowed


class Reference(NamedTuple):
    """Images `(N, C, H, W)`, what a model makes of them in float64, and the error of each output in its own dtype."""

    name: str
    images: torch.Tensor
    expected: list[np.ndarray]
    own: list[float]


class Agreement(NamedTuple):
    """The closest call: a file's error, PyTorch's own on the same picture, and the error that was allowed there."""

    error: float
    own: float
    allowed: float


def references(
    model: torch.nn.Module, pictures: Iterable[tuple[str, torch.Tensor]], lists: bool = False
) -> list[Reference]:
    """Runs `model`, which is in evaluation, in its own dtype and in float64.

    Args:
        model: The PyTorch model.
        pictures: Names and images `(N, C, H, W)` in the model's dtype and on its device.
        lists: Whether the first output is a list of detections instead of a map of them.

    Raises:
        AttentionError: The model's output is not a number on any of them.
    """
    exact, generator = copy.deepcopy(model).double(), torch.Generator().manual_seed(0)
    found = []
    for name, images in pictures:
        with torch.inference_mode():
            expected = [y.cpu().numpy() for y in tensors(exact(images.double()))]
            # Twice, the second time one rounding apart: what a network makes much of does not show in every run.
            apart = images + torch.finfo(images.dtype).eps * torch.randn(images.shape, generator=generator).to(images)
            runs = [[y.double().cpu().numpy() for y in tensors(model(x))] for x in (images, apart)]
        own = [max(both) for both in zip(*(errors(run, expected, lists) for run in runs), strict=True)]
        found.append(Reference(name, images, expected, own))
    if not any(np.isfinite(reference.own).all() for reference in found):
        raise AttentionError("the PyTorch model's own output is not a number, so no file can be compared with it")
    return found


def check_onnx(
    file: Path | onnx.ModelProto, against: Sequence[Reference], dtype: str, lists: bool = False, name: str = ""
) -> Agreement:
    """Compares an ONNX file with the model that the references are of.

    Args:
        file: The ONNX file, or what is in it.
        against: The references.
        dtype: The file's precision, `float32` or `float16`: what PyTorch's own error counts as at least.
        lists: Whether the first output is a list of detections instead of a map of them.
        name: The file's name for the message.

    Raises:
        AttentionError: It has other outputs, or an error beyond what is allowed.
    """
    try:
        return _compared(runner(file), against, dtype, lists, name)
    except AttentionError as difference:
        try:
            agreement = _compared(runner(file, optimized=False), against, dtype, lists, name)
        except AttentionError:
            raise difference from None
        LOGGER.warning(
            f"{name} agrees with PyTorch, but not as ONNX Runtime optimizes it, with which something else comes out "
            f"({difference.args[0].partition(';')[0]}); run it with graph_optimization_level=ORT_DISABLE_ALL"
        )
        return agreement


def _compared(
    run: Callable[..., list[np.ndarray]], against: Sequence[Reference], dtype: str, lists: bool, name: str
) -> Agreement:
    sharpest = min(max(reference.own) for reference in against)
    limit = max(TOLERANCE[dtype], allowed(sharpest, dtype))
    closest = Agreement(0.0, 0.0, allowed(0.0, dtype))
    for reference in against:
        outputs = run(reference.images)
        if len(outputs) != len(reference.expected):
            raise AttentionError(f"{name} has {len(outputs)} outputs, the PyTorch model {len(reference.expected)}")
        if allowed(max(reference.own), dtype) > limit:
            continue  # the network makes so much of roundings here that two right results have little in common
        made = errors([y.astype(np.float64) for y in outputs], reference.expected, lists)
        for far, own in zip(made, reference.own, strict=True):
            here = Agreement(far, own, allowed(own, dtype))
            if not here.error <= here.allowed:
                raise AttentionError(
                    f"{name} differs from the PyTorch model by {here.error:.1e} on {reference.name}, tolerance "
                    f"{here.allowed:.0e}; the file was not kept, try another opset=… or simplify=False"
                )
            closest = max(closest, here, key=lambda agreement: agreement.error / agreement.allowed)
    return closest


def runner(file: Path | onnx.ModelProto, optimized: bool = True) -> Callable[..., list[np.ndarray]]:
    """Returns a function that runs the ONNX file on its inputs, the images `(N, C, H, W)` first.

    Raises:
        AttentionError: ONNX Runtime refuses the file, here or when it runs.
    """
    options = onnxruntime.SessionOptions()
    if not optimized:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    # The CPU provider is there on every machine; parity is about the graph, not about a provider.
    providers = ["CPUExecutionProvider"]
    with _one_line():
        graph = file if isinstance(file, Path) else file.SerializeToString()
        session = onnxruntime.InferenceSession(graph, options, providers=providers)
    taken = {node.name: np.float16 if node.type == "tensor(float16)" else np.float32 for node in session.get_inputs()}

    def run(*inputs: torch.Tensor) -> list[np.ndarray]:
        given = zip(taken.items(), inputs, strict=True)
        with _one_line():
            return session.run(None, {name: x.cpu().numpy().astype(dtype) for (name, dtype), x in given})

    return run


@contextlib.contextmanager
def _one_line() -> Iterator[None]:
    try:
        yield
    except Exception as error:  # ONNX Runtime's have no class in common
        text = " ".join(str(error).split())
        raise AttentionError(
            f"ONNX Runtime cannot run the exported graph, so the file was not kept, try another opset=…: {text}"
        ) from error


def found_again(boxes: torch.Tensor, others: torch.Tensor) -> int:
    """Returns how many of the `boxes` are among the `others`: of the same class, overlapping by nine tenths.

    Both are `(detections, 6)`: two corners in pixels, confidence, class.
    """
    overlap = box_iou(boxes[:, :4], others[:, :4]) * (boxes[:, 5:6] == others[:, 5])
    return int((overlap >= 0.9).any(1).sum())


def errors(got: Sequence[np.ndarray], want: Sequence[np.ndarray], lists: bool) -> list[float]:
    """Returns the error of each output; where `lists`, the first is a list of detections."""
    return [error(g, w, lists and not i) for i, (g, w) in enumerate(zip(got, want, strict=True))]


def error(got: np.ndarray, want: np.ndarray, detections: bool = False) -> float:
    """Returns the largest error of one output, each channel measured against its own magnitude.

    So that a box edge of 640 pixels does not hide an error in a score between 0 and 1. A list of detections,
    `(N, detections, values)` with a box, its score and its class in front, is compared as a set: two whose scores tie
    may change places.
    """
    if got.shape != want.shape:
        return float("inf")
    if detections and want.ndim == 3:
        return max((_detections_error(g, w) for g, w in zip(got, want, strict=True)), default=0.0)
    other = tuple(axis for axis in range(want.ndim) if axis != 1)
    scale = np.maximum(np.abs(want).max(axis=other, initial=0.0, keepdims=True), 1.0)
    return _largest(np.abs(got - want) / scale)


SCORE, CLASS = 4, 5  # the columns behind the box


def _detections_error(got: np.ndarray, want: np.ndarray) -> float:
    mine, theirs = np.sort(got[:, SCORE]), np.sort(want[:, SCORE])
    apart = _largest(np.abs(mine - theirs))
    # Around the last place, a tie decides which detection is in the list at all: those are judged by score alone.
    listed = want[want[:, SCORE] > theirs[0] + apart]
    scale = np.maximum(np.abs(want).max(axis=0), 1.0)
    scale[CLASS] = 1.0  # another class is no smaller an error where there are many
    nearest = [np.abs((got - detection) / scale).max(axis=1).min() for detection in listed]
    return _largest(np.array([apart, *nearest]))


def _largest(errors: np.ndarray) -> float:
    return float(errors.max(initial=0.0)) if np.isfinite(errors).all() else float("inf")


def tensors(outputs) -> list[torch.Tensor]:
    """Returns the tensors among a model's outputs in the order in which an exporter writes them."""
    if isinstance(outputs, torch.Tensor):
        return [outputs]
    if isinstance(outputs, dict):
        outputs = outputs.values()
    return [tensor for output in outputs for tensor in tensors(output)] if isinstance(outputs, Iterable) else []
