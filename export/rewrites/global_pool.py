"""A reduction over the map becomes a global pooling.

    ReduceMean(x, axes=[2, 3])  →  GlobalAveragePool(x)
    ReduceMax(x, axes=[2, 3])   →  GlobalMaxPool(x)

ONNX Runtime has blocked kernels for the poolings alone: inside a network the map is blocked, and the reduction has it
laid out anew first. No kernel of the map's size is written down, so the map may have any size.
"""

import onnx_ir as ir

from yolo_attn.export.rewrites import axes_of, rank, replace, require

POOLING = {"ReduceMean": "GlobalAveragePool", "ReduceMax": "GlobalMaxPool"}


def rewrite(node: ir.Node) -> None:
    require(node.op_type in POOLING, f"{node.op_type} is no reduction to a mean or a maximum")
    x = node.inputs[0]
    require(rank(x) == 4 and axes_of(node) == [2, 3], f"{node.name} is not over the map")
    replace(node, [ir.node(POOLING[node.op_type], [x], name=node.name)])
