"""The root of a sum of squares, written out for readers that take it for something else.

ReduceL2(x, axes)  →  Sqrt(ReduceSum(Mul(x, x), axes))
"""

import numpy as np
import onnx_ir as ir

from yolo_attn.export.rewrites import axes_of, initializer, opset, replace, require


def rewrite(node: ir.Node) -> None:
    require(node.op_type == "ReduceL2", f"{node.op_type} is no root of a sum of squares")
    require(opset(node) >= 13, "a sum's axes are an input from opset 13 on")
    axes = initializer(node, "axes", np.array(axes_of(node)))
    squares = ir.node("Mul", [node.inputs[0], node.inputs[0]], name=f"{node.name}/squares")
    total = ir.node("ReduceSum", [squares.outputs[0], axes], {"keepdims": 1}, name=f"{node.name}/sum")
    replace(node, [squares, total, ir.node("Sqrt", [total.outputs[0]], name=node.name)])
