"""An exported file that also gives its spatial gates, for a picture of what the attention looks at.

An attention layer ends in a chain of products, x · g₁ · g₂ …, as it was trained and fused. What stands beside the
running product are its gates; one more output, `(N, 1, H, W)`, is the mean of their product over the channels.
"""

from pathlib import Path

import onnx
from onnx import TensorProto, helper

from yolo_attn.device.paths import layer_of
from yolo_attn.export.layers import attention_layers
from yolo_attn.export.staging import beside

KEY = "gates"  # of the file's metadata: the layers, in the outputs' order, which are the last ones
BETWEEN = ("QuantizeLinear", "DequantizeLinear", "Cast")  # may stand between two products


def add(file: Path) -> list[str]:
    """Adds an output for each layer whose gate is not the same in every place, and returns the layers' paths.

    Everything that the file gave before stays as it is, and first.
    """
    model = onnx.load(file)
    graph = model.graph
    shapes = {value.name: value for value in onnx.shape_inference.infer_shapes(model).graph.value_info}
    found = {}
    for layer in attention_layers(model):
        gates = [gate for gate in gates_of(graph, layer) if gate in shapes]
        if any(varies(shapes[gate]) for gate in gates):
            found[layer] = (gates, shapes[gates[0]].type.tensor_type.elem_type)
    opset = next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
    for layer, (gates, dtype) in found.items():
        graph.node.extend(mean_of_product(layer, gates, opset))
        graph.output.append(helper.make_tensor_value_info(name_of(layer), dtype, ["batch", 1, None, None]))
    if found:
        entry = model.metadata_props.add()
        entry.key, entry.value = KEY, "; ".join(found)
        with beside(file) as folder:
            onnx.save(model, folder / file.name)
            (folder / file.name).replace(file)
    return list(found)


def gates_of(graph: onnx.GraphProto, layer: str) -> list[str]:
    """Returns the tensors that a layer multiplies its map by, the last one first; none where it is no gate."""
    makers = {output: node for node in graph.node for output in node.output}
    inside = {node.name for node in graph.node if layer_of(node.name, [layer])}
    read_outside = {name for node in graph.node if node.name not in inside for name in node.input}
    ends = [node for node in graph.node if node.name in inside and set(node.output) & read_outside]
    gates: list[str] = []
    node = ends[-1] if ends else None
    while node is not None and (node.name in inside or node.op_type in BETWEEN):
        if node.op_type == "Mul":
            gates.append(node.input[1])
        elif node.op_type not in BETWEEN:  # it does something else with its map: no product of gates
            return []
        node = makers.get(node.input[0])
    return gates


def varies(gate: onnx.ValueInfoProto) -> bool:
    """Tells whether a gate may differ from place to place: its height or its width is not 1."""
    height, width = gate.type.tensor_type.shape.dim[-2:]
    return (height.dim_value, width.dim_value) != (1, 1)


def mean_of_product(layer: str, gates: list[str], opset: int) -> list[onnx.NodeProto]:
    """Returns the nodes that make a layer's output of its gates."""
    nodes, product = [], gates[0]
    for i, gate in enumerate(gates[1:]):
        nodes.append(helper.make_node("Mul", [product, gate], [f"{layer}/gates_{i}"], name=f"gates/{layer}/Mul_{i}"))
        product = nodes[-1].output[0]
    name = f"gates/{layer}/Mean"
    if opset < 18:
        nodes.append(helper.make_node("ReduceMean", [product], [name_of(layer)], name=name, axes=[1], keepdims=1))
        return nodes
    axes = helper.make_tensor(f"{name}/axes", TensorProto.INT64, [1], [1])
    nodes.append(helper.make_node("Constant", [], [f"{name}/axes"], name=f"{name}/Constant", value=axes))
    nodes.append(helper.make_node("ReduceMean", [product, f"{name}/axes"], [name_of(layer)], name=name, keepdims=1))
    return nodes


def name_of(layer: str) -> str:
    """Returns the output's name."""
    return f"gate:{layer}"
