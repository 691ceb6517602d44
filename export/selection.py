"""Files that select: detections by NMS or as the best scores, or a class for each pixel.

What is selected says little of the network: where no score reaches the threshold the list is empty, right or wrong,
and the same class wins by much or by little. So a file is looked at in two halves, in temporary copies: up to the map
of all predictions, which is compared as any other, and from there on, with predictions among which to select.
"""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import onnx
import onnx_ir as ir
import torch
from onnx_ir.passes import common

from yolo_attn.errors import AttentionError
from yolo_attn.export.parity import CLASS, SCORE, Reference, runner
from yolo_attn.tolerance import TOLERANCE

MAKERS = ("Concat", "Resize")  # the last steps of heads: boxes are joined with scores, or a map of scores is enlarged
MANY = 300  # predictions among which something is to select
AGAIN = 3  # so many of them are about one object
STRAY = 0.02  # of what is selected: an overlap at the very threshold falls to either side


def predictions_of(model: onnx.ModelProto, images: torch.Tensor, shape: Sequence[int]) -> str:
    """Returns the name of the tensor that enters the selection: the last of the shape of predictions.

    Args:
        model: The exported model.
        images: Images `(N, C, H, W)` that it takes.
        shape: The shape of the PyTorch model's predictions for these.

    Raises:
        AttentionError: There is no such tensor.
    """
    made = [node.output[0] for node in model.graph.node if node.op_type in MAKERS]
    values = runner(ending_in(model, made))(images)
    found = [name for name, value in zip(made, values, strict=True) if value.shape == tuple(shape)]
    if not found:
        raise AttentionError("nothing in the exported graph looks like what its selection of detections is made from")
    return found[-1]


def ending_in(model: onnx.ModelProto, names: Sequence[str]) -> onnx.ModelProto:
    """Returns a copy whose outputs are the tensors `names`."""
    part = onnx.ModelProto()
    part.CopyFrom(model)
    del part.graph.output[:]
    part.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    return part


def up_to(model: onnx.ModelProto, predictions: str) -> onnx.ModelProto:
    """Returns a copy that gives the tensor `predictions` in place of the detections, its first output."""
    return ending_in(model, [predictions, *(output.name for output in model.graph.output[1:])])


def behind(model: onnx.ModelProto, predictions: str) -> onnx.ModelProto:
    """Returns a copy that takes the tensor `predictions` as a second input, and gives the detections alone."""
    part = ending_in(model, [model.graph.output[0].name])
    part.graph.input.append(onnx.helper.make_tensor_value_info(predictions, onnx.TensorProto.FLOAT, None))
    for node in part.graph.node:
        node.output[:] = [name if name != predictions else f"{name}_unused" for name in node.output]
    return part


def apart(model: onnx.ModelProto, predictions: str) -> tuple[onnx.ModelProto, onnx.ModelProto]:
    """Returns the network up to the tensor `predictions`, and what is behind it, which shares no other name with it."""
    first, rest = up_to(model, predictions), behind(model, predictions)
    first.graph.output[0].CopyFrom(onnx.helper.make_tensor_value_info(predictions, onnx.TensorProto.FLOAT, None))
    for output, whole in zip(first.graph.output[1:], model.graph.output[1:], strict=True):
        output.CopyFrom(whole)
    rest = onnx.compose.add_prefix(rest, "selection/", rename_inputs=False, rename_outputs=False)
    return _without_unused(first), _without_unused(rest)


def _without_unused(model: onnx.ModelProto) -> onnx.ModelProto:
    graph = ir.from_proto(model)
    common.RemoveUnusedNodesPass()(graph)
    used = ir.to_proto(graph)
    del used.graph.value_info[:]  # as in `fused`: they trip the conversion to FP16
    return used


def check_selection(
    model: onnx.ModelProto,
    predictions: str,
    against: Iterable[Reference],
    invent: Callable[[torch.Tensor, Sequence[int]], torch.Tensor],
    select: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
) -> None:
    """Compares what a file selects with what PyTorch selects, from predictions that are the same.

    Args:
        model: The exported model.
        predictions: The tensor that enters its selection.
        against: Images, of which only the shape counts, and the PyTorch model's predictions, of which too.
        invent: Returns predictions for such images, in such a shape.
        select: Returns what PyTorch selects, for images and predictions.

    Raises:
        AttentionError: They select differently.
    """
    run = runner(behind(model, predictions))
    shapes = {tuple(reference.images.shape): reference for reference in against}
    for reference in shapes.values():
        given = invent(reference.images, reference.expected[0].shape).half().to(reference.images)
        with torch.inference_mode():
            wanted = select(reference.images, given.clone()).cpu().numpy()
        (selected,) = run(reference.images, given)
        for got, want in zip(selected, wanted, strict=True):
            lost, of = lost_detections(got, want) if got.dtype.kind == "f" else (int((got != want).sum()), want.size)
            if lost > STRAY * of or not of:
                raise AttentionError(
                    f"of the same predictions the exported graph and PyTorch select {of} things, {lost} of them "
                    "different ones; the file was not kept, try another opset=… or leave out nms=…"
                )


def lost_detections(got: np.ndarray, want: np.ndarray) -> tuple[int, int]:
    """Returns how many detections of two lists are in one of them alone, and how many both have together."""
    got, want = (rows[rows[:, SCORE] > 0] for rows in (got, want))
    return strays(got, want) + strays(want, got), len(got) + len(want)


def strays(rows: np.ndarray, others: np.ndarray) -> int:
    """Returns how many of the `rows` are not among the `others`."""
    scale = np.maximum(np.abs(rows).max(axis=0, initial=0.0), 1.0)
    scale[CLASS] = 1.0
    apart = [np.abs((others - row) / scale).max(axis=1).min(initial=np.inf) for row in rows]
    return int((np.array(apart) > TOLERANCE["float32"]).sum())


def any_objects(images: torch.Tensor, shape: Sequence[int], classes: int, oriented: bool) -> torch.Tensor:
    """Returns predictions `(N, values, places)` of objects that are found several times each, in boxes that overlap."""
    generator = torch.Generator().manual_seed(0)

    def random(*size: int) -> torch.Tensor:
        return torch.rand(size, generator=generator)

    batch, values, places = shape
    height, width = images.shape[2:]
    predictions = torch.zeros(batch, values, places)
    many = min(MANY, places // 2)
    for one in predictions:
        objects = torch.arange(many) // AGAIN
        sides = torch.tensor([width, height])
        centers = (random(many, 2)[objects] + 0.02 * random(many, 2)) * sides
        extents = (random(many, 2)[objects] + 0.1 * random(many, 2)) * sides / 4 + 1
        box = (centers, extents) if oriented else (centers - extents / 2, centers + extents / 2)
        where = torch.randperm(places, generator=generator)[:many]
        one[:4, where] = torch.cat(box, 1).T
        scores = (torch.randperm(many, generator=generator) + 1) / many  # in FP16 too no two are the same
        one[4 + torch.randint(classes, (many,), generator=generator)[objects], where] = scores
        one[4 + classes :, where] = random(values - 4 - classes, many) - 0.5
    return predictions


def any_scores(images: torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
    """Returns predictions `(N, classes, H, W)` of one class in each place."""
    return torch.randn(tuple(shape), generator=torch.Generator().manual_seed(0))
