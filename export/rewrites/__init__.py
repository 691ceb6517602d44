"""One rewrite, one file: `rewrite(node)` mends the graph where `node` is the last of its pattern, or says why not."""

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir


class NoMatch(Exception):
    """Why a rewrite does not apply to a node."""


def require(condition: object, reason: str) -> None:
    """Raises NoMatch with the reason unless the condition holds."""
    if not condition:
        raise NoMatch(reason)


def producer(value: ir.Value | None, *op_types: str) -> ir.Node:
    """Returns the node that makes `value`, one of `op_types`.

    Raises:
        NoMatch: Another node makes it, or none.
    """
    node = value.producer() if value is not None else None
    require(
        node is not None and node.op_type in op_types, f"{value and value.name} is not made by {' or '.join(op_types)}"
    )
    assert node is not None
    return node


def constant(value: ir.Value | None) -> np.ndarray:
    """Returns the numbers of a constant.

    Raises:
        NoMatch: It is none.
    """
    tensor = ir.convenience.get_const_tensor(value) if value is not None else None
    require(tensor is not None, f"{value and value.name} is no constant")
    assert tensor is not None
    return tensor.numpy()


def axes_of(node: ir.Node) -> list[int]:
    """Returns the axes of a reduction that keeps them as 1: an input from opset 18 on, an attribute before.

    Raises:
        NoMatch: It drops them, or they are not constant.
    """
    require(node.attributes.get_int("keepdims", 1) == 1, f"{node.name} drops its axes")
    if len(node.inputs) > 1:
        return sorted(int(axis) for axis in constant(node.inputs[1]))
    return sorted(node.attributes.get_ints("axes", []))


def opset(node: ir.Node) -> int:
    """Returns the version of the ONNX operators that the graph of `node` is written in."""
    return node.graph.opset_imports.get("", 0) if node.graph is not None else 0


def along(node: ir.Node, operator: str, x: ir.Value | None, axis: int, name: str) -> ir.Node:
    """Returns a `Squeeze` or `Unsqueeze` for the graph of `node`: its axis is an input from opset 13 on."""
    if opset(node) < 13:
        return ir.node(operator, [x], {"axes": [axis]}, name=name)
    return ir.node(operator, [x, initializer(node, f"axis{axis}", np.array([axis]))], name=name)


def rank(value: ir.Value | None) -> int:
    """Returns how many axes `value` has.

    Raises:
        NoMatch: It is not known.
    """
    require(value is not None and value.shape is not None, f"the rank of {value and value.name} is unknown")
    assert value is not None and value.shape is not None
    return len(value.shape)


def initializer(node: ir.Node, name: str, array: np.ndarray) -> ir.Value:
    """Adds a constant to the graph of `node`, named after it."""
    assert node.graph is not None
    value = ir.val(f"{node.name}/{name}", const_value=ir.tensor(array))
    assert isinstance(node.graph, ir.Graph)
    node.graph.register_initializer(value)
    return value


def replace(node: ir.Node, new: Sequence[ir.Node]) -> None:
    """Puts the nodes `new` before `node` and lets the last of them give what `node` gave, under the same name."""
    assert node.graph is not None
    last, old = new[-1].outputs[0], node.outputs[0]
    last.shape, last.type = old.shape, old.type
    node.graph.insert_before(node, new)
    ir.convenience.replace_all_uses_with(old, last, replace_graph_outputs=True)
    node.graph.remove(node, safe=True)
