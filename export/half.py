"""FP16 of a file that was exported in FP32: weights and maps in half precision, sums of squares in single."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import onnx
from onnx import numpy_helper

from yolo_attn.device.paths import layer_of
from yolo_attn.export.layers import attention_layers
from yolo_attn.export.parity import Agreement, Reference, check_onnx, errors, runner
from yolo_attn.export.selection import apart, up_to

# A sum of squares over an 80×80 map leaves fp16 (65504) where the features are 3.2 on average.
WIDE = {"ReduceL2", "ReduceSumSquare"}
FLOAT, FLOAT16 = onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16


def convert(model: onnx.ModelProto, predictions: str = "") -> onnx.ModelProto:
    """Returns `model` in FP16 with inputs and outputs in FP32, as Ultralytics writes it on a CPU.

    Reductions of attention layers that may overflow keep FP32, between two casts, and so does the selection from the
    tensor `predictions`: NMS moves the boxes of each class to a place of their own, all of them between 0 and 1, where
    FP16 cannot tell which overlap. `model` is used up.
    """
    from onnxruntime.transformers.float16 import convert_float_to_float16

    layers = attention_layers(model)
    wide = [node.name for node in model.graph.node if node.op_type in WIDE and layer_of(node.name, layers)]
    if not predictions:
        return convert_float_to_float16(model, keep_io_types=True, node_block_list=wide)
    first, rest = apart(model, predictions)
    half = convert_float_to_float16(first, keep_io_types=True, node_block_list=wide)
    half.graph.node.extend(rest.graph.node)
    half.graph.initializer.extend(rest.graph.initializer)
    del half.graph.output[:]
    half.graph.output.extend(model.graph.output)
    return half


def checked(
    model: onnx.ModelProto, against: Sequence[Reference], predictions: str, **how
) -> tuple[onnx.ModelProto, Agreement]:
    """Converts a file that agreed with PyTorch, and compares what comes out.

    In two ways: computed in FP32 it is the same file with its numbers rounded, to the last places of FP32, so that no
    weight is off by more than rounding; and computed as it is, it has the errors that such rounding explains.

    Args:
        model: The FP32 file, which is used up.
        against: What it agreed with.
        predictions: The tensor from which the file selects, or nothing.
        how: Further arguments of `check_onnx`.

    Raises:
        AttentionError: It differs.
    """

    def opened(graph: onnx.ModelProto) -> onnx.ModelProto:
        return up_to(graph, predictions) if predictions else graph

    run = runner(opened(rounded(model)))
    same, explained = [], []
    for reference in against:
        images = reference.images.half().to(reference.images)
        outputs = [y.astype(np.float64) for y in run(images)]
        same.append(reference._replace(images=images, expected=outputs))
        explained.append(reference._replace(own=errors(outputs, reference.expected, how.get("lists", False))))
    half = convert(model, predictions)
    check_onnx(opened(widened(half)), same, "float32", **how)
    return half, check_onnx(opened(half), explained, "float16", **how)


def rounded(model: onnx.ModelProto) -> onnx.ModelProto:
    """Returns the FP32 file with each of its numbers rounded to FP16, still computed in FP32."""

    def to_half(array: np.ndarray) -> np.ndarray:
        limits = np.finfo(np.float16)
        size = np.clip(np.abs(array), limits.smallest_subnormal, limits.max)  # no number becomes 0, none infinite
        return np.where(array == 0, array, np.copysign(size, array)).astype(np.float16).astype(np.float32)

    return _with_numbers(model, FLOAT, to_half)


def widened(model: onnx.ModelProto) -> onnx.ModelProto:
    """Returns the FP16 file computed in FP32: what `rounded` returns of the file that it came from, or it is wrong."""
    wide = _with_numbers(model, FLOAT16, lambda array: array.astype(np.float32))
    for node in wide.graph.node:
        for attribute in node.attribute:
            if attribute.name in ("to", "dtype") and attribute.i == FLOAT16:
                attribute.i = FLOAT
    for value in (*wide.graph.input, *wide.graph.output):
        if value.type.tensor_type.elem_type == FLOAT16:
            value.type.tensor_type.elem_type = FLOAT
    del wide.graph.value_info[:]
    return wide


def _with_numbers(model: onnx.ModelProto, dtype: int, change: Callable[[np.ndarray], np.ndarray]) -> onnx.ModelProto:
    """Returns a copy in which each constant of that type is what `change` returns of it."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for tensor in _constants(copy):
        if tensor.data_type == dtype:
            tensor.CopyFrom(numpy_helper.from_array(change(numpy_helper.to_array(tensor)), tensor.name))
    return copy


def _constants(model: onnx.ModelProto) -> Iterable[onnx.TensorProto]:
    yield from model.graph.initializer
    for node in model.graph.node:
        yield from (attribute.t for attribute in node.attribute if attribute.HasField("t"))
