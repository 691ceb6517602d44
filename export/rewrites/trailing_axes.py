"""Several axes that are added at the end of a shape come from one reshaping.

    Unsqueeze(x, axes=[2, 3])  →  Reshape(x, [0, 0, 1, 1])        x (N, C)

Nothing is moved either way, but OpenCV's DNN (4.12) adds one axis at a time and refuses the node.
"""

import numpy as np
import onnx_ir as ir

from yolo_attn.export.rewrites import constant, initializer, rank, replace, require


def rewrite(node: ir.Node) -> None:
    require(node.op_type == "Unsqueeze", f"{node.op_type} adds no axes")
    x = node.inputs[0]
    axes = constant(node.inputs[1]).tolist() if len(node.inputs) > 1 else list(node.attributes.get_ints("axes", []))
    require(len(axes) > 1 and axes == list(range(rank(x), rank(x) + len(axes))), f"{node.name} adds them elsewhere")
    target = np.array([0] * rank(x) + [1] * len(axes))
    replace(node, [ir.node("Reshape", [x, initializer(node, "target", target)], name=node.name)])
