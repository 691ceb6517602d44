"""A map of one channel is given its shape once more before it meets a map of many.

    Mul(x, gate)  →  Mul(x, Reshape(gate, [0, 1, 0, 0]))        gate (N, 1, H, W)
    Add(x, Conv(…))  →  Add(x, Reshape(Conv(…), [0, 1, 0, 0]))

The same numbers, and nothing is moved; ONNX Runtime takes no time for it. But OpenCV's DNN (5.0) keeps what comes out
of a convolution in blocks of eight channels, in which it cannot repeat one channel for many, and takes a sum into the
convolution: it refuses the network.
"""

import numpy as np
import onnx_ir as ir

from yolo_attn.export.rewrites import initializer, replace, require


def rewrite(node: ir.Node) -> None:
    require(node.op_type in ("Mul", "Add") and len(node.inputs) == 2, f"{node.op_type} does not join two maps")
    sides = list(node.inputs)
    one = [_shape(side)[1:2] == [1] and _shape(side)[2:] != [1, 1] for side in sides]
    require(any(one) and not all(one), f"no side of {node.name} is a map of one channel for many")
    gate, other = sides if one[0] else sides[::-1]
    require(len(_shape(other)) == 4 and _shape(other)[1] != 1, f"{node.name} is not about a map")
    maker = gate.producer() if gate is not None else None
    require(maker is not None and maker.op_type != "Reshape", f"{node.name} has the shape already")
    assert maker is not None
    require(node.op_type == "Mul" or maker.op_type == "Conv", f"{node.name} is taken into no convolution")
    shaped = ir.node("Reshape", [gate, initializer(node, "gate", np.array([0, 1, 0, 0]))], name=f"{node.name}/gate")
    sides[one.index(True)] = shaped.outputs[0]
    replace(node, [shaped, ir.node(node.op_type, sides, name=node.name)])


def _shape(value: ir.Value | None) -> list:
    """Returns the axes of a computed value, as far as they are known."""
    return list(value.shape) if value is not None and value.producer() is not None and value.shape is not None else []
