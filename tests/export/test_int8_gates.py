"""INT8 leaves every operator's gates in float: only convolutions over space on many channels are quantized."""

import onnx
import pytest
from ultralytics import YOLO

from tests.support.tiny import detector, written
from yolo_attn import registry
from yolo_attn.device.paths import layer_of
from yolo_attn.export import int8
from yolo_attn.export.layers import attention_layers

# What such convolutions there are in a tiny network of 16 channels and more, by the module that they are in.
SPATIAL = {"GAM": 2, "SK": 0, "LSKA": 0}


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """One exported detector with every operator, each behind the last."""
    folder = tmp_path_factory.mktemp("int8")
    rows = detector(*[(1, name) for name in registry.names()], widths=(16, 64, 16))
    file = YOLO(str(written(rows, folder / "model.yaml"))).export(format="onnx", imgsz=64, verbose=False)
    return onnx.load(file)


@pytest.mark.parametrize("name", registry.names())
def test_gates_stay_in_float(network, name):
    layers, floats = attention_layers(network), set(int8.float_nodes(network))
    (layer,) = [layer for layer in layers if layers[layer].startswith(f"{name}(")]
    nodes = [node for node in network.graph.node if layer_of(node.name, layers) == layer]
    assert nodes
    quantized = [node for node in nodes if node.name not in floats]
    assert len(quantized) == SPATIAL.get(name, 0) and {node.op_type for node in quantized} <= {"Conv"}
