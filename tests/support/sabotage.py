"""Graphs made wrong: what a comparison with PyTorch has to notice."""

import numpy as np
import onnx
from onnx import numpy_helper


def change(model: onnx.ModelProto, name: str, value: np.ndarray) -> None:
    """Gives a constant another value of the same type."""
    tensor = next(tensor for tensor in model.graph.initializer if tensor.name == name)
    array = numpy_helper.to_array(tensor)
    tensor.CopyFrom(numpy_helper.from_array(np.asarray(value).astype(array.dtype).reshape(array.shape), name))


def scale(model: onnx.ModelProto, part: str, factor: float) -> onnx.ModelProto:
    """Multiplies the first convolution's weight that has `part` in its name, and returns the graph."""
    weight = next(t for t in model.graph.initializer if part in t.name and len(t.dims) == 4 and t.dims[0] > 1)
    change(model, weight.name, numpy_helper.to_array(weight) * factor)
    return model


def overlap_of_nms(model: onnx.ModelProto, value: float) -> None:
    """Lets NMS keep other detections."""
    change(model, next(node.input[3] for node in model.graph.node if node.op_type == "NonMaxSuppression"), value)


def number_of_pixels(model: onnx.ModelProto, value: int) -> None:
    """Bakes the number of pixels of one map size into a graph for all sizes."""
    node = next(node for node in model.graph.node if node.op_type == "ReduceProd")
    model.graph.initializer.append(numpy_helper.from_array(np.array(value, np.int64), node.output[0]))
    model.graph.node.remove(node)
