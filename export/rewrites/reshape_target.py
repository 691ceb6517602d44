"""A target shape that was put together from a tensor's own shape becomes a constant.

    Reshape(x, Concat(Gather(Shape(x), 0), 1, 128, -1))
    →  Reshape(x, [0, 1, 128, -1])
    Reshape(x, Concat(Gather(Shape(x), 0), 128, Gather(Shape(y), 2), Gather(Shape(y), 3)))
    →  Reshape(x, Concat([0, 128], Shape(y, start=2, end=4)))

0 keeps the axis. What comes from another tensor stays, as one node for neighbouring axes (from opset 15 on).
"""

import numpy as np
import onnx_ir as ir

from yolo_attn.export.rewrites import constant, initializer, opset, producer, rank, replace, require

Axis = int | tuple[ir.Value, int]  # a number, or an axis of a tensor


def rewrite(node: ir.Node) -> None:
    require(node.op_type == "Reshape", f"{node.op_type} is no Reshape")
    x, shape = node.inputs
    require(shape is not None and shape.const_value is None, f"the target of {node.name} is a constant")
    assert x is not None
    target = [_kept(axis, place, x) for place, axis in enumerate(_axes(shape))]
    pieces: list[list[Axis]] = []
    for axis in target:
        if pieces and (isinstance(axis, int) == isinstance(pieces[-1][-1], int)) and _follows(axis, pieces[-1][-1]):
            pieces[-1].append(axis)
        else:
            pieces.append([axis])
    new: list[ir.Node] = []
    values = []
    for number, piece in enumerate(pieces):
        first, last = piece[0], piece[-1]
        if isinstance(first, int) or isinstance(last, int):
            values.append(initializer(node, f"target{number}", np.array(piece, dtype=np.int64)))
            continue
        require(opset(node) >= 15, "Shape gives a part from opset 15 on")
        part = {"start": first[1], "end": last[1] + 1}
        new.append(ir.node("Shape", [first[0]], part, name=f"{node.name}/Shape_{number}"))
        values.append(new[-1].outputs[0])
    if len(values) > 1:
        new.append(ir.node("Concat", values, {"axis": 0}, name=f"{node.name}/Concat"))
        values = [new[-1].outputs[0]]
    replace(node, [*new, ir.node("Reshape", [x, values[0]], name=node.name)])


def _axes(shape: ir.Value | None) -> list[Axis]:
    """Returns what each number of a target shape is."""
    node = shape.producer() if shape is not None else None
    if node is None or node.op_type == "Constant":
        return [int(number) for number in constant(shape)]
    if node.op_type == "Concat":
        return [axis for piece in node.inputs for axis in _axes(piece)]
    if node.op_type == "Unsqueeze":
        return _axes(node.inputs[0])
    if node.op_type == "Gather":
        return [_axes(node.inputs[0])[int(constant(node.inputs[1]))]]
    if node.op_type == "Slice":
        if len(node.inputs) == 1:  # before opset 10
            start, end = (node.attributes.get_ints(name, [])[0] for name in ("starts", "ends"))
        else:
            start, end = (int(constant(value)[0]) for value in node.inputs[1:3])
        return _axes(node.inputs[0])[start:end]
    source = producer(shape, "Shape").inputs[0]
    require(node.op_type == "Shape" and not node.attributes and source is not None, f"{node.name} makes the shape")
    assert source is not None
    return [(source, axis) for axis in range(rank(source))]


def _kept(axis: Axis, place: int, x: ir.Value) -> Axis:
    """Returns 0 for an axis that has in `x`, at the same place, the same length."""
    if isinstance(axis, int) or x.shape is None or place >= len(x.shape):
        return axis
    source, index = axis
    same_name = (
        source.shape is not None and not isinstance(source.shape[index], int) and source.shape[index] == x.shape[place]
    )
    if (source is x and index == place) or (same_name and str(x.shape[place]) != "None"):
        return 0
    return axis


def _follows(axis: Axis, before: Axis) -> bool:
    if isinstance(axis, int) or isinstance(before, int):
        return True
    return axis[0] is before[0] and axis[1] == before[1] + 1
