"""Whether an exported graph agrees with the exporter's model, in the sizes, the outputs and the precision it is for."""

import functools
from pathlib import Path

import onnx
import torch

from yolo_attn.export import half, pictures, selection
from yolo_attn.export.parity import Agreement, check_onnx, found_again, references, runner, tensors
from yolo_attn.upstream import predictions, releases


def checked(exporter, model: onnx.ModelProto, name: str, to_half: bool) -> tuple[onnx.ModelProto, Agreement]:
    """Compares an exported graph with the exporter's model, and brings it to FP16 if asked to.

    Returns:
        The graph, and how closely it agrees.

    Raises:
        AttentionError: They differ.
    """
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
    # NMS looks at as many images as it was traced with.
    more = max(batch - 1, 1) if releases.has_nms(exporter) else batch + 1
    larger, smaller = (more, channels, height + stride, width), (batch, channels, stride, max(width - stride, stride))
    return [larger] if releases.end2end(exporter) else [larger, smaller]  # of fewer places it cannot take the best


def same_boxes(exporter, file: Path) -> str:
    """Returns how many of the boxes that PyTorch finds in the photograph the file finds, for the end of a sentence."""
    if exporter.model.task not in ("detect", "segment", "pose") or predictions.lists(exporter):
        return ""
    picture = pictures.photograph(exporter.im)
    nms = releases.has_nms(exporter)
    model = releases.with_nms(exporter.model, exporter.args).eval() if nms else exporter.model
    with torch.inference_mode():
        expected = boxes(exporter, tensors(model(picture))[0])
    found = found_again(expected, boxes(exporter, torch.from_numpy(runner(file)(picture)[0])))
    return f"; in bus.jpg {found} of {len(expected)} boxes the same"


def boxes(exporter, output: torch.Tensor) -> torch.Tensor:
    """Returns the detections `(n, 6)` in the first image of a model's output, as `yolo predict` finds them."""
    arguments, names = exporter.args, exporter.metadata["names"]
    found = releases.non_max_suppression(
        output[:1].float().cpu(),
        arguments.conf or 0.25,
        arguments.iou,
        nc=len(names),
        end2end=releases.has_nms(exporter) or releases.end2end(exporter),
    )
    return found[0][:, :6]
