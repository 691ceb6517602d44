"""What a convolution made in one channel is given its shape once more before it meets a map of many channels.

    Mul(x, Sigmoid(Conv(…)))  →  Mul(x, Reshape(Sigmoid(Conv(…)), [0, 1, 0, 0]))
    Add(x, Conv(…))  →  Add(x, Reshape(Conv(…), [0, 1, 0, 0]))

The same numbers, and nothing is moved; ONNX Runtime takes no time for it. But OpenCV's DNN (5.0) keeps what comes out
of a convolution in blocks of eight channels, in which it cannot repeat one channel for many, and takes a sum into the
convolution: it refuses the network.
"""

import numpy as np
import onnx_ir as ir

from yolo_attn.export.rewrites import initializer, replace, require

SAME_SHAPE = ("Sigmoid", "Mul", "Add")  # between the convolution and the product: with the share of an identity start


def rewrite(node: ir.Node) -> None:
    require(node.op_type in ("Mul", "Add") and len(node.inputs) == 2, f"{node.op_type} does not join two maps")
    sides = list(node.inputs)
    one = [_is_of_one_channel(side) for side in sides]
    require(any(one) and not all(one), f"no side of {node.name} is from a convolution to one channel")
    gate, other = sides if one[0] else sides[::-1]
    assert gate is not None and other is not None
    maker = gate.producer()
    require(other.producer() is not None, f"{node.name} is about a constant")
    require(node.op_type == "Mul" or (maker and maker.op_type == "Conv"), f"{node.name} is taken into no convolution")
    shaped = ir.node("Reshape", [gate, initializer(node, "gate", np.array([0, 1, 0, 0]))], name=f"{node.name}/gate")
    sides[one.index(True)] = shaped.outputs[0]
    replace(node, [shaped, ir.node(node.op_type, sides, name=node.name)])


def _is_of_one_channel(value: ir.Value | None) -> bool:
    """Tells whether a value comes from a convolution to one channel, with nothing but constants between."""
    node = value.producer() if value is not None else None
    while node is not None and node.op_type in SAME_SHAPE:
        makers = [side.producer() for side in node.inputs if side is not None]
        computed = [maker for maker in makers if maker is not None and maker.op_type != "Constant"]
        node = computed[0] if len(computed) == 1 else None
    if node is None or node.op_type != "Conv":
        return False
    weight = node.inputs[1]
    return weight is not None and weight.shape is not None and weight.shape[0] == 1
