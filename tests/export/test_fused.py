"""The fused graph: each rewrite where it shall match, the reason where not, the rest untouched; FP16 and INT8."""

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
import pytest
import torch
from onnxruntime.quantization import CalibrationDataReader
from torch import nn
from ultralytics import YOLO

from benchmarks.deploy import nodes
from tests.support.operators import make
from tests.support.sensitive import sensitive
from yolo_attn.device.paths import layer_of
from yolo_attn.export import fused, half, int8
from yolo_attn.export.layers import attention_layers
from yolo_attn.export.parity import error
from yolo_attn.export.rewrites import (
    NoMatch,
    channel_pool,
    global_pool,
    norm,
    pixel_count,
    reshape_target,
    spatial_gate,
    strip_product,
    trailing_axes,
)
from yolo_attn.export.single import exported, rewritten

SHAPE = (2, 32, 7, 13)
MATCHES = {
    ("CBAM", False): {"channel_pool": 1, "global_pool": 2, "spatial_gate": 1},
    ("CBAM", True): {"channel_pool": 1, "global_pool": 2, "spatial_gate": 1},
    ("BAM", False): {"spatial_gate": 1},
    ("BAM", True): {"spatial_gate": 1},
    ("TripletAttention", True): {"channel_pool": 1},
    ("GSoP", True): {"reshape_target": 1, "pixel_count": 1, "global_pool": 1, "trailing_axes": 1},
    ("SRM", True): {"pixel_count": 1},
    ("GCT", True): {"pixel_count": 1},
    ("EncNet", True): {"reshape_target": 2, "pixel_count": 1, "trailing_axes": 1},
    ("NonLocal", True): {"reshape_target": 4},
    ("GAM", True): {},
    ("ECA", True): {},
    ("SE", True): {},
    ("CoordAtt", False): {"strip_product": 1},
    ("CoordAtt", True): {"strip_product": 1},
}


@pytest.mark.parametrize(("name", "dynamic"), MATCHES, ids=[f"{name}-{dynamic}" for name, dynamic in MATCHES])
def test_each_rule_matches_as_often_as_it_shall(name, dynamic):
    _, matches = rewritten(exported(make(name, {}).deploy(), SHAPE, dynamic))
    assert {rule: times for rule, times in matches.items() if times} == MATCHES[name, dynamic]


@pytest.mark.parametrize("name", ["SRM", "GCT", "SimAM", "ShuffleAttention", "EncNet", "CBAM", "TripletAttention"])
def test_converters_get_plain_nodes(name):
    model, matches = rewritten(exported(operator := make(name, {}).deploy(), SHAPE, False), reader="converter")
    assert matches["norm"] == (name not in ("CBAM", "TripletAttention"))
    assert not {"ReduceL2", "MaxPool", "AveragePool"} & {node.op_type for node in model.graph.node}
    x = torch.randn(SHAPE, generator=torch.Generator().manual_seed(0))
    (got,) = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": x.numpy()})
    assert error(got, operator(x).detach().numpy()) < 1e-5


def test_the_table_of_nodes_is_rendered():
    assert nodes.FILE.read_text(encoding="utf-8") == nodes.render(), "python -m benchmarks.deploy.nodes"


class Reduced(nn.Module):
    """A convolution over the maximum and the mean over `dim`, as CBAM's."""

    def __init__(self, dim: int = 1):
        super().__init__()
        self.dim = dim
        self.conv = nn.Conv2d(2, 1, 1)

    def forward(self, x):
        return self.conv(torch.cat((x.amax(self.dim, keepdim=True), x.mean(self.dim, keepdim=True)), 1))


class Counted(nn.Module):
    def forward(self, x):
        return x / (x.shape[2] * x.shape[3])


class Gated(nn.Module):
    """A map times the mean of its channels, and the sum with a gate."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(4, 1, 1)

    def forward(self, x):
        x = x.relu()
        return x * x.mean(1).unsqueeze(1) + self.conv(x).sigmoid()


def last(model: onnx.ModelProto, operator: str) -> ir.Node:
    """Returns the last node of that type."""
    graph = ir.from_proto(onnx.shape_inference.infer_shapes(model)).graph
    return [node for node in graph if node.op_type == operator][-1]


@pytest.mark.parametrize(
    ("rewrite", "module", "shape", "opset", "operator", "reason"),
    [
        (channel_pool.rewrite, Reduced(), (1, 74, 8, 8), 18, "Concat", "37 channels do not divide into windows"),
        (channel_pool.rewrite, Reduced(2), (1, 1, 8, 8), 18, "Concat", "is not over the channels"),
        (strip_product.rewrite, Reduced(), (1, 8, 8, 8), 18, "Conv", "Conv is no product"),
        (global_pool.rewrite, Reduced(), (1, 32, 8, 8), 18, "ReduceMean", "is not over the map"),
        (pixel_count.rewrite, Counted(), (1, 4, 8, 8), 14, "Mul", "Shape gives a part from opset 15 on"),
        (norm.rewrite, Counted(), (1, 4, 8, 8), 18, "Div", "Div is no root of a sum of squares"),
        (reshape_target.rewrite, Counted(), (1, 4, 8, 8), 18, "Div", "Div is no Reshape"),
        (spatial_gate.rewrite, Counted(), (1, 4, 8, 8), 18, "Div", "Div does not join two maps"),
        (spatial_gate.rewrite, Gated(), (1, 4, 8, 8), 18, "Add", "is taken into no convolution"),
        (
            spatial_gate.rewrite,
            Counted(),
            (1, 4, 8, 8),
            14,
            "Mul",
            "is from a convolution to one channel",
        ),
        (trailing_axes.rewrite, Gated(), (1, 4, 8, 8), 18, "Unsqueeze", "adds them elsewhere"),
        (trailing_axes.rewrite, Counted(), (1, 4, 8, 8), 18, "Div", "Div adds no axes"),
    ],
)
def test_a_rule_says_why_it_does_not_match(rewrite, module, shape, opset, operator, reason):
    with pytest.raises(NoMatch, match=reason):
        rewrite(last(exported(module.eval(), shape, True, opset), operator))


@pytest.fixture(scope="module")
def network(tmp_path_factory) -> onnx.ModelProto:
    """An exported yolov5n with CBAM in its backbone and GAM before its head, which shares the map sizes of both."""
    from yolo_attn import insert
    from yolo_attn.insertion import text

    folder = tmp_path_factory.mktemp("network")
    rows = insert("yolov5n.yaml", "cbam", at="P5")
    (folder / "yolov5n-cbam.yaml").write_text(text(rows, "yolov5n-cbam", "test"))
    rows = insert(folder / "yolov5n-cbam.yaml", "gam", at="head-P5")
    (folder / "yolov5n-both.yaml").write_text(text(rows, "yolov5n-both", "test"))
    yolo = YOLO(folder / "yolov5n-both.yaml")
    sensitive(yolo.model)
    yolo.save(folder / "best.pt")  # the exporter writes beside a checkpoint
    return onnx.load(YOLO(folder / "best.pt").export(format="onnx", imgsz=64))


def test_the_rest_of_a_network_is_untouched(network):
    layers = attention_layers(network)
    assert [source.split("(")[0] for source in layers.values()] == ["CBAM", "GAM"]
    base = [node for node in network.graph.node if not layer_of(node.name, layers)]
    again, matches = fused.fuse(network)
    assert not any(matches.values()), "a file that was fused has nothing left to fuse"
    assert [node.op_type for node in base] == [n.op_type for n in again.graph.node if not layer_of(n.name, layers)]
    inside = [node.op_type for node in network.graph.node if layer_of(node.name, layers)]
    assert len(inside) == 19 + 10 and "ReduceMean" not in inside


def test_half_precision_of_large_features_stays_finite():
    model = rewritten(exported(make("GCT", {}).deploy(), (1, 32, 64, 64), True))[0]
    model.metadata_props.append(onnx.StringStringEntryProto(key="attention", value="model.0 GCT(32)"))
    x = np.float32(30) * np.random.default_rng(0).standard_normal((1, 32, 64, 64), np.float32)
    want = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": x})[0]
    got = onnxruntime.InferenceSession(half.convert(model).SerializeToString()).run(None, {"x": x})[0]
    assert error(got, want) < 1e-2


class Noise(CalibrationDataReader):
    def __init__(self):
        self.images = iter(np.random.default_rng(0).random((4, 1, 3, 64, 64), np.float32))

    def get_next(self):
        image = next(self.images, None)
        return None if image is None else {"images": image}


def test_int8_leaves_the_gates_and_the_decoding_in_float(network, tmp_path):
    onnx.save(network, tmp_path / "x.onnx")
    int8.quantize(tmp_path / "x.onnx", tmp_path / "q.onnx", Noise())
    quantized = onnx.load(tmp_path / "q.onnx")
    made = {output: node for node in quantized.graph.node for output in node.output}

    def in_int8(node: onnx.NodeProto) -> bool:
        return (
            node.op_type == "Conv" and made[node.input[1]].op_type == "DequantizeLinear"
            if node.input[1] in made
            else False
        )

    layers = attention_layers(network)
    convolutions = {node.name: in_int8(node) for node in quantized.graph.node if node.op_type == "Conv"}
    gates = {name for name in convolutions if layer_of(name, layers)}
    weighed = {name for name in gates if convolutions[name]}
    assert len(weighed) == 2 and all(
        "gates.1" in name and layer_of(name, layers) == list(layers)[1] for name in weighed
    )
    head = {name for name in convolutions if name.startswith("/model.26/") and not name.endswith("/conv/Conv")}
    assert head and not any(convolutions[name] for name in head)
    base = set(convolutions) - gates - head
    assert all(convolutions[name] or "dfl" in name for name in base)
    gating = [n for n in quantized.graph.node if n.op_type in ("Sigmoid", "Mul") and layer_of(n.name, layers)]
    quantizers = {node.input[0] for node in quantized.graph.node if node.op_type == "QuantizeLinear"}
    assert gating and not any(node.output[0] in quantizers for node in gating if node.op_type == "Sigmoid")

    signed = int8.for_tensorrt(quantized)
    zeros = {t.data_type for t in signed.graph.initializer if "zero_point" in t.name}
    assert zeros == {onnx.TensorProto.INT8}
    x = np.random.default_rng(1).random((1, 3, 64, 64), np.float32)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    ran = [
        onnxruntime.InferenceSession(m.SerializeToString(), options).run(None, {"images": x})[0]
        for m in (quantized, signed)
    ]
    assert error(*ran) < 1e-4
