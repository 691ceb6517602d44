"""A map times the product of a gate for its rows and one for its columns becomes two products in turn.

    Mul(x, Mul(rows, columns))  →  Mul(Mul(x, rows), columns)        rows (N, C, H, 1), columns (N, C, 1, W)

The same numbers, but no gate of the map's size is written and read again. In torch it is one gate, as any other.
"""

import onnx_ir as ir

from yolo_attn.export.rewrites import producer, rank, replace, require


def rewrite(node: ir.Node) -> None:
    require(node.op_type == "Mul", f"{node.op_type} is no product")
    x, product = node.inputs
    strips = producer(product, "Mul")
    rows, columns = strips.inputs
    require(all(rank(value) == 4 for value in (x, rows, columns)), f"{node.name} is not about maps")
    assert rows is not None and rows.shape is not None and columns is not None and columns.shape is not None
    require(rows.shape[3] == 1 and columns.shape[2] == 1, f"{strips.name} is no product of rows and columns")
    first = ir.node("Mul", [x, rows], name=strips.name)
    replace(node, [first, ir.node("Mul", [first.outputs[0], columns], name=node.name)])
