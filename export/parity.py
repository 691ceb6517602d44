"""Parity: a written ONNX file is run on fresh inputs and compared with the PyTorch model it came from."""

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import torch

from yolo_attn.errors import AttentionError
from yolo_attn.tolerance import TOLERANCE


def check_onnx(
    file: Path, model: torch.nn.Module, inputs: Iterable[torch.Tensor], dtype: str, detections: slice | None
) -> float:
    """Returns the largest error of the ONNX file against `model` over the `inputs`.

    Args:
        file: The ONNX file.
        model: The PyTorch model in evaluation, with the same outputs.
        inputs: Images `(N, C, H, W)` in the model's dtype and on its device.
        dtype: The file's precision, which picks the tolerance: `float32` or `float16`.
        detections: Where the first output is a list of detections instead of a map of them: its columns with scores.

    Raises:
        AttentionError: The error is beyond the tolerance, or not a number.
    """
    run = runner(file)
    largest = 0.0
    for x in inputs:
        with torch.inference_mode():
            expected = [y.float().cpu().numpy() for y in tensors(model(x))]
        for got, want in zip(run(x), expected, strict=False):
            largest = max(largest, error(got.astype(np.float32), want, detections))
    if not largest <= TOLERANCE[dtype]:
        raise AttentionError(
            f"{file.name} differs from the PyTorch model by {largest:.1e}, tolerance {TOLERANCE[dtype]:.0e}; "
            "the file was not kept, try another opset=… or simplify=False"
        )
    return largest


def runner(file: Path) -> Callable[[torch.Tensor], list[np.ndarray]]:
    """Returns a function that runs the ONNX file on images `(N, C, H, W)`."""
    import onnxruntime

    # The CPU provider is there on every machine; parity is about the graph, not about a provider.
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    node = session.get_inputs()[0]
    dtype = np.float16 if node.type == "tensor(float16)" else np.float32
    return lambda x: session.run(None, {node.name: x.cpu().numpy().astype(dtype)})


def found_again(boxes: torch.Tensor, others: torch.Tensor) -> int:
    """Returns how many of the `boxes` are among the `others`: of the same class, overlapping by nine tenths.

    Both are `(detections, 6)`: two corners in pixels, confidence, class.
    """
    from torchvision.ops import box_iou  # here, as this module is loaded at every prediction

    overlap = box_iou(boxes[:, :4], others[:, :4]) * (boxes[:, 5:6] == others[:, 5])
    return int((overlap >= 0.9).any(1).sum())


def error(got: np.ndarray, want: np.ndarray, detections: slice | None = None) -> float:
    """Returns the largest error of one output, each channel measured against its own magnitude.

    So that a box edge of 640 pixels does not hide an error in a score between 0 and 1. A list of detections,
    `(N, detections, values)` with scores in the columns `detections`, is compared as a set: two whose scores tie may
    change places.
    """
    if got.shape != want.shape:
        return float("inf")
    if detections is not None and want.ndim == 3:
        return max(_detections_error(g, w, detections) for g, w in zip(got, want, strict=True))
    other = tuple(axis for axis in range(want.ndim) if axis != 1)
    scale = np.maximum(np.abs(want).max(axis=other, initial=0.0, keepdims=True), 1.0)
    return _largest(np.abs(got - want) / scale)


def _detections_error(got: np.ndarray, want: np.ndarray, scores: slice) -> float:
    mine, theirs = (np.sort(detections[:, scores].max(axis=1)) for detections in (got, want))
    apart = _largest(np.abs(mine - theirs))
    # Around the last place, a tie decides which detection is in the list at all: those are judged by score alone.
    listed = want[want[:, scores].max(axis=1) > theirs[0] + apart]
    scale = np.maximum(np.abs(want).max(axis=0), 1.0)
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
