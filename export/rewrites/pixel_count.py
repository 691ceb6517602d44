"""The number of pixels of a map of any size, from its shape in two nodes instead of four.

Mul(Gather(Shape(x), 2), Gather(Shape(x), 3))  →  ReduceProd(Shape(x, start=2, end=4))
"""

import onnx_ir as ir

from yolo_attn.export.rewrites import constant, opset, producer, replace, require


def rewrite(node: ir.Node) -> None:
    require(node.op_type == "Mul" and len(node.inputs) == 2, f"{node.op_type} is no product")
    sides = [producer(value, "Gather") for value in node.inputs]
    shapes = [producer(side.inputs[0], "Shape") for side in sides]
    x = shapes[0].inputs[0]
    require(x is shapes[1].inputs[0] and not any(s.attributes for s in shapes), f"{node.name} is not about one map")
    require([constant(side.inputs[1]).tolist() for side in sides] == [2, 3], f"{node.name} is not height times width")
    require(opset(node) >= 15, "Shape gives a part from opset 15 on")
    shape = ir.node("Shape", [x], {"start": 2, "end": 4}, name=shapes[0].name)
    replace(node, [shape, ir.node("ReduceProd", shape.outputs, {"keepdims": 0}, name=node.name)])
