"""From a network's outputs to detections, for every head that Ultralytics' ONNX exporter writes.

Three layouts exist. Boxes of all anchors, (1, 4 + classes + extra, anchors), whose non-maximum suppression is done
here; finished rows, (1, N, 6 + extra), from a graph with NMS or an end-to-end head; and class probabilities,
(1, classes). What is extra: 32 mask coefficients, keypoints, or the angle of an oriented box.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from yolo_attn.errors import AttentionError
from yolo_attn.live.letterbox import Geometry
from yolo_attn.live.metadata import Metadata
from yolo_attn.live.results import corners


@dataclass(frozen=True)
class Thresholds:
    """What counts as a detection; names and defaults are Ultralytics'."""

    conf: float = 0.25
    iou: float = 0.7
    max_det: int = 300
    classes: tuple[int, ...] | None = None


def decode(outputs: list[np.ndarray], model: Metadata, where: Geometry, limits: Thresholds) -> dict[str, np.ndarray]:
    """Returns the fields of a `Result` that `outputs` hold, in pixels of the picture, in arrays of their own."""
    if model.task == "classify":
        return {"probs": outputs[0][0].astype(np.float32)}
    rows = finished(outputs[0][0], limits) if model.end2end else suppressed(outputs[0][0], model, limits)
    boxes, extra = rows[:, :4], rows[:, 6:]
    found = {"confidence": rows[:, 4].copy(), "class_id": rows[:, 5].astype(np.int64)}
    if model.task == "obb":
        centre, size, angle = where.points(boxes[:, :2]), boxes[:, 2:] / where.gain, extra[:, -1:]
        found["xywhr"] = np.concatenate([centre, size, angle], 1)
        points = corners(found["xywhr"])
        found["xyxy"] = np.concatenate([points.min(1), points.max(1)], 1)
        return found
    found["xyxy"] = where.clipped(boxes.reshape(-1, 2, 2)).reshape(-1, 4)
    if model.task == "pose":
        keypoints = extra.reshape(len(rows), *model.kpt_shape).copy()
        keypoints[..., :2] = where.clipped(keypoints[..., :2])
        found["keypoints"] = keypoints
    elif model.task == "segment":
        found["mask"] = masks(extra, outputs[1][0], found["xyxy"], where)
        shown = found["mask"].any((1, 2))
        found = {name: values[shown] for name, values in found.items()}
    return found


def check_layout(outputs: list[np.ndarray], model: Metadata) -> None:
    """Raises AttentionError where outputs are laid out as no head of Ultralytics' exporter lays them out."""
    shapes, classes = [output.shape for output in outputs], len(model.names)
    first = shapes[0] if shapes else ()
    if len(first) == 3 and first[2] == 5 + classes and first[1] != 4 + classes and not model.end2end:
        raise AttentionError(
            f"its outputs {first} are laid out as YOLOv5's own exporter does, rows of a box, an objectness and "
            f"{classes} scores: load the weights with Ultralytics, and export them with yolo export format=onnx"
        )
    if len(first) != (2 if model.task == "classify" else 3) or (model.task == "segment" and len(shapes) != 2):
        raise AttentionError(f"its outputs {', '.join(map(str, shapes))} are not those of a {model.task} model")
    if model.task == "classify" or model.end2end:
        return
    extra = {"obb": 1, "pose": math.prod(model.kpt_shape)}.get(model.task, 0)
    extra = shapes[1][1] if model.task == "segment" else extra
    if first[1] != 4 + classes + extra:
        raise AttentionError(f"its outputs {first} are for {first[1] - 4 - extra} classes, and {classes} have names")


def is_finished(outputs: list[np.ndarray], model: Metadata) -> bool:
    """Tells whether a detector's output is a finished list, `(1, N, 6)`, of whose NMS the metadata says nothing.

    Of one class, rows of 6 may as well be YOLOv5's own, which `check_layout` refuses.
    """
    shape, classes = outputs[0].shape, len(model.names)
    rows = len(shape) == 3 and shape[2] == 6 and shape[1] != 4 + classes
    return model.end2end or (model.task == "detect" and rows and classes > 1)


def finished(rows: np.ndarray, limits: Thresholds) -> np.ndarray:
    """Returns the rows (N, 6 + extra) of a finished list that count: box, score, class, extra."""
    wanted = rows[:, 4] > limits.conf
    if limits.classes is not None:
        wanted &= np.isin(rows[:, 5], limits.classes)
    return rows[wanted][: limits.max_det].astype(np.float32)


def suppressed(raw: np.ndarray, model: Metadata, limits: Thresholds) -> np.ndarray:
    """Returns the rows (N, 6 + extra) that are left of `raw` (4 + classes + extra, anchors) after suppression by class.

    Boxes come out as x1, y1, x2, y2; oriented ones as centre and size.
    """
    classes = len(raw) - 4 if model.task == "detect" else len(model.names)
    likely = np.flatnonzero(raw[4 : 4 + classes].max(0) > limits.conf)
    columns = raw[:, likely].astype(np.float32)
    scores = columns[4 : 4 + classes]
    class_id = scores.argmax(0)
    rows = np.concatenate(
        [columns[:4], scores.max(0)[None], class_id[None].astype(np.float32), columns[4 + classes :]]
    ).T
    if limits.classes is not None:
        rows = rows[np.isin(rows[:, 5], limits.classes)]
    if not len(rows):
        return rows
    if model.task == "obb":
        return rows[rotated_nms(rows, limits.iou)[: limits.max_det]]
    rows[:, :2] -= rows[:, 2:4] / 2
    kept = cv2.dnn.NMSBoxesBatched(rows[:, :4], rows[:, 4], rows[:, 5].astype(np.int32), limits.conf, limits.iou)
    rows[:, 2:4] += rows[:, :2]
    return rows[np.asarray(kept, np.int64)[: limits.max_det]]


def rotated_nms(rows: np.ndarray, threshold: float) -> np.ndarray:
    """Returns which oriented boxes stay, best first: those that no better one of their class overlaps too much.

    The overlap is ProbIoU, which Ultralytics uses in training and prediction: https://arxiv.org/abs/2106.06072.
    OpenCV's NMS for rotated boxes takes the areas' IoU, which decides otherwise for long thin boxes. `rows` are (N, 7):
    centre, size, score, class, angle. As in Ultralytics, a box that is itself suppressed suppresses too.
    """
    order = np.argsort(-rows[:, 4], kind="stable")
    x, y, w, h, _, class_id, angle = rows[order].T.astype(np.float64)
    cos, sin = np.cos(angle), np.sin(angle)
    a, b = w * w / 12 * cos**2 + h * h / 12 * sin**2, w * w / 12 * sin**2 + h * h / 12 * cos**2
    c = (w * w - h * h) / 12 * cos * sin
    A, B, C = (v[:, None] + v[None] for v in (a, b, c))
    dx, dy = x[:, None] - x[None], y[:, None] - y[None]
    det, spread, eps = A * B - C * C, np.maximum(a * b - c * c, 0), 1e-7
    distance = (A * dy**2 + B * dx**2) / (det + eps) / 4 - C * dx * dy / (det + eps) / 2
    distance += np.log(det / (4 * np.sqrt(spread[:, None] * spread[None]) + eps) + eps) / 2
    overlap = 1 - np.sqrt(1 - np.exp(-np.clip(distance, eps, 100)) + eps)
    better = np.triu(overlap > threshold, 1) & (class_id[:, None] == class_id[None])
    return order[~better.any(0)]


def masks(coefficients: np.ndarray, prototypes: np.ndarray, boxes: np.ndarray, where: Geometry) -> np.ndarray:
    """Returns masks (N, H, W), bool, at the picture's size.

    Args:
        coefficients: (N, P), one weight per prototype.
        prototypes: (P, h, w), over the network's input.
        boxes: (N, 4), in the picture; a mask ends at its box.
        where: How the picture lies in the input.
    """
    channels, rows, columns = prototypes.shape
    out = np.zeros((len(boxes), *where.image), bool)
    logits = (coefficients @ prototypes.reshape(channels, -1).astype(np.float32)).reshape(-1, rows, columns)
    # The padding is cut off at whole pixels, so where it ends within one the map is enlarged first, as in Ultralytics.
    ratio = where.input[0] // rows
    spare = (where.input[0] - where.content[0]) | (where.input[1] - where.content[1])
    factor = ratio // math.gcd(ratio, spare | spare // 2)
    top, left, height, width = (pixels * factor // ratio for pixels in (where.top, where.left, *where.content))
    scale = np.array([width / where.image[1], height / where.image[0]])
    for mask, logit, (x1, y1, x2, y2) in zip(out, logits, np.ceil(boxes).astype(int).tolist(), strict=True):
        if x2 <= x1 or y2 <= y1:
            continue
        if factor > 1:
            logit = cv2.resize(logit, (columns * factor, rows * factor))
        content = logit[top : top + height, left : left + width]
        shift = scale * (np.array([x1, y1]) + 0.5) - 0.5  # pixel centres lie at halves
        matrix = np.array([[scale[0], 0, shift[0]], [0, scale[1], shift[1]]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        patch = cv2.warpAffine(content, matrix, (x2 - x1, y2 - y1), flags=flags, borderMode=cv2.BORDER_REPLICATE)
        mask[y1:y2, x1:x2] = patch > 0
    return out
