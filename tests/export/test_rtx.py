"""TensorRT-RTX judges every operator's graph and whole networks; no GPU is needed to build an engine."""

import csv
import importlib.metadata
import inspect
import io
import json
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnxruntime.quantization import CalibrationDataReader, quantize_static
from onnxruntime.transformers import float16
from ultralytics import YOLO
from ultralytics.engine.exporter import Exporter
from ultralytics.nn.backends.base import BaseBackend

from benchmarks.deploy import kernels
from tests.support.operators import make
from tests.support.sensitive import sensitive
from yolo_attn import cli, export, models, registry
from yolo_attn.errors import AttentionError
from yolo_attn.export import plan, rtx
from yolo_attn.export.single import exported, rewritten
from yolo_attn.upstream import exporter

pytest.importorskip("tensorrt_rtx", reason="the extra `rtx` is not installed")

with kernels.FILE.open(encoding="utf-8") as stream:
    KERNELS = list(csv.DictReader(stream))
COUNTED = [row for row in KERNELS if (row["place"], row["shapes"]) == ("alone", "static")]
CHANNELS, SIZE = 64, 20
PROFILE = rtx.Profile((1, CHANNELS, 1, 1), (1, CHANNELS, SIZE, SIZE), (4, CHANNELS, 2 * SIZE, 2 * SIZE))
SYMMETRIC = {"ActivationSymmetric": True, "WeightSymmetric": True, "QuantizeBias": False}


def graph(name: str, dynamic: bool = False) -> onnx.ModelProto:
    """Returns an operator's deployed form as `yolo export` writes it."""
    model = exported(make(name, {}, CHANNELS).deploy(), (1, CHANNELS, SIZE, SIZE), dynamic)
    return rewritten(model, reader="tensorrt")[0]


def build(model: onnx.ModelProto, folder: Path, profile: rtx.Profile | None = None) -> list[plan.Kernel]:
    """Returns the kernels of a model's engine."""
    onnx.save(model, folder / "x.onnx")
    return plan.kernels(rtx.build(folder / "x.onnx", ("sm89",), profile))


@pytest.mark.parametrize("dynamic", [False, True], ids=["static", "dynamic"])
@pytest.mark.parametrize("name", registry.names())
def test_every_operator_builds(name, dynamic, tmp_path):
    model = graph(name, dynamic)
    profile = PROFILE if dynamic else None
    found = build(model, tmp_path, profile)
    written = {node.name for node in model.graph.node}
    assert found and {node for kernel in found for node in kernel.nodes} & written
    if name in models.OPERATORS:
        half = float16.convert_float_to_float16(model, keep_io_types=True)  # as `quantize=16` does
        assert build(half, tmp_path, profile)


@pytest.mark.parametrize("row", COUNTED, ids=[row["operator"] for row in COUNTED])
def test_kernels_are_those_of_the_committed_table(row):
    version = importlib.metadata.version("tensorrt_rtx")
    if version != row["tensorrt_rtx"]:
        pytest.skip(f"counted with {row['tensorrt_rtx']}, this is {version}: python -m benchmarks.deploy.kernels")
    name = row["operator"]
    assert kernels.count(make(name, {}, kernels.CHANNELS).deploy(), dynamic=False) == int(row["ours"])


def test_no_operator_has_more_kernels_than_its_pasted_form():
    assert {row["operator"] for row in COUNTED} == set(registry.names())
    counted = [row for row in KERNELS if row["pasted"] != kernels.NONE]
    more = {(row["operator"], row["place"]) for row in counted if int(row["ours"]) > int(row["pasted"])}
    # DESIGN.md says why.
    known = {("TripletAttention", "alone"), ("EncNet", "alone"), ("EncNet", "network"), ("BAM", "network")}
    assert more == known
    assert all(int(row["ours"]) <= 8 for row in KERNELS if row["operator"] == "CBAM")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    """A small network with CBAM as its layer 2."""
    folder = tmp_path_factory.mktemp("rtx")
    rows = ["[-1, 1, Conv, [64, 3, 2]]", "[-1, 1, Conv, [64, 3, 2]]", "[-1, 1, CBAM, []]"]
    backbone = "".join(f"  - {row}\n" for row in rows)
    (folder / "small.yaml").write_text(f"nc: 2\nbackbone:\n{backbone}head:\n  - [[-1], 1, Detect, [nc]]\n")
    yolo = YOLO(folder / "small.yaml")
    sensitive(yolo.model)
    yolo.save(folder / "best.pt")
    return folder / "best.pt"


def names(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()}


def test_the_command_builds_an_engine_beside_the_checkpoint(checkpoint, tmp_path, capsys):
    (tmp_path / "best.pt").write_bytes(checkpoint.read_bytes())
    (tmp_path / "best.onnx").write_text("the user's own")
    keys = [f"model={tmp_path / 'best.pt'}", "format=rtx", "targets=sm86,sm120", "imgsz=64", "batch=2", "dynamic=True"]
    assert cli.main(["export", *keys]) == 0
    engine = tmp_path / "best_rtx.engine"
    assert names(tmp_path) == {"best.pt", "best.onnx", engine.name}
    assert (tmp_path / "best.onnx").read_text() == "the user's own"
    start, metadata = BaseBackend.engine_header(engine)
    assert metadata["task"] == "detect" and metadata["imgsz"] == [64, 64] and metadata["args"]["dynamic"]
    assert metadata["attention"].startswith("model.2 CBAM(64")
    content = engine.read_bytes()[start:]
    assert b"accelerators={sm86 sm120 }" in content and plan.kernels(content)

    before = engine.read_bytes()
    assert cli.main(["export", *keys, "foo=1"]) == 1
    assert "'foo' is not a valid YOLO argument" in capsys.readouterr().err
    assert engine.read_bytes() == before and len(names(tmp_path)) == 3


def test_an_interrupted_build_leaves_nothing(checkpoint, tmp_path, monkeypatch):
    (tmp_path / "best.pt").write_bytes(checkpoint.read_bytes())

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(rtx, "build", interrupted)
    with pytest.raises(KeyboardInterrupt):
        export.run(tmp_path / "best.pt", format="rtx", imgsz=32)
    assert names(tmp_path) == {"best.pt"}


def test_other_formats_are_ultralytics_own(checkpoint, tmp_path):
    (tmp_path / "best.pt").write_bytes(checkpoint.read_bytes())
    assert export.run(tmp_path / "best.pt", format="torchscript", imgsz=32).name == "best.torchscript"


class Noise(CalibrationDataReader):
    """Two random images for a quantizer."""

    def __init__(self, name: str, shape: tuple[int, ...]):
        self.images = iter([{name: np.random.default_rng(i).random(shape, np.float32)} for i in range(2)])

    def get_next(self):
        return next(self.images, None)


def test_a_network_in_int8_builds(tmp_path, datasets):
    """The graph with which engines are built in INT8 has its gates in float, and TensorRT takes its scales."""
    yolo = YOLO("yolov5n-gam-head.yaml")
    sensitive(yolo.model)
    yolo.save(tmp_path / "best.pt")
    calibration = {"data": "shapes.yaml", "fraction": 0.05}
    engine = export.run(tmp_path / "best.pt", format="rtx", targets="sm89", imgsz=64, quantize=8, **calibration)
    found = plan.kernels(engine.read_bytes())
    assert any("/model.24/gates.1/" in node for kernel in found for node in kernel.nodes)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["best.pt", "best_rtx.engine"]


def tiny(tmp_path: Path, **extra_options) -> Path:
    """Returns a quantized file of one convolution."""
    file = io.BytesIO()
    torch.onnx.export(torch.nn.Conv2d(3, 8, 3), (torch.zeros(1, 3, 8, 8),), file, dynamo=False, input_names=["x"])
    onnx.save(onnx.load_from_string(file.getvalue()), tmp_path / "conv.onnx")
    quantize_static(tmp_path / "conv.onnx", tmp_path / "q.onnx", Noise("x", (1, 3, 8, 8)), extra_options=extra_options)
    return tmp_path / "q.onnx"


def single(tmp_path: Path, operator: str, domain: str = "") -> Path:
    """Returns a file of one node."""
    node = onnx.helper.make_node(operator, ["x"], ["y"], name=f"/model.5/{operator}", domain=domain)
    x = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1, 3, 8, 8])
    y = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.UNDEFINED, None)
    opsets = [onnx.helper.make_opsetid("", 18), onnx.helper.make_opsetid("mine", 1)]
    model = onnx.helper.make_model(onnx.helper.make_graph([node], "g", [x], [y]), opset_imports=opsets, ir_version=10)
    onnx.save(model, tmp_path / "single.onnx")
    return tmp_path / "single.onnx"


def unsized(tmp_path: Path) -> Path:
    """Returns a file of no fixed size, which needs a profile."""
    onnx.save(graph("SE", dynamic=True), tmp_path / "unsized.onnx")
    return tmp_path / "unsized.onnx"


def broken(tmp_path: Path) -> Path:
    """Returns a file that is no ONNX file."""
    (tmp_path / "broken.onnx").write_text("no ONNX file")
    return tmp_path / "broken.onnx"


@pytest.mark.parametrize(
    ("file", "says"),
    [
        (tiny, "q.onnx at DequantizeLinear bias_DequantizeLinear: biases are quantized to INT32; quantize with Quan"),
        (lambda folder: tiny(folder, QuantizeBias=False), "its scales are asymmetric; quantize with ActivationSymm"),
        (lambda folder: single(folder, "FusedCBAM", "mine"), "at FusedCBAM /model.5/FusedCBAM: it is no standard ONNX"),
        (lambda folder: single(folder, "NonZero"), "at NonZero /model.5/NonZero: .* so leave out nms=True"),
        (unsized, "its input has no fixed size and no profile says which to build for; write dynamic=True"),
        (broken, "broken.onnx: .*Failed to parse the ONNX model"),
    ],
)
def test_what_tensorrt_refuses_is_said_in_one_line(file, says, tmp_path):
    with pytest.raises(AttentionError, match=f"^TensorRT-RTX refuses .*{says}") as refused:
        rtx.build(file(tmp_path))
    assert "\n" not in str(refused.value)


def test_an_unknown_target_is_refused_before_anything_is_exported(tmp_path):
    with pytest.raises(AttentionError, match=r"builds for sm75, .*, not for sm90; for another GPU write format=engine"):
        export.run(tmp_path / "best.pt", format="rtx", targets="sm86,sm90")
    with pytest.raises(AttentionError, match="write targets=sm86,sm89,sm120"):
        export.run(tmp_path / "best.pt", format="rtx", targets=",")


def test_without_the_package_the_mend_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorrt_rtx", None)
    with pytest.raises(AttentionError, match=r"pip install yolo_attn\[rtx\]"):
        export.run(tmp_path / "best.pt", format="rtx")


def test_the_header_is_the_one_that_ultralytics_reads(tmp_path):
    (tmp_path / "x.engine").write_bytes(rtx.header({"names": {0: "Käse"}}) + b"plan")
    start, metadata = BaseBackend.engine_header(tmp_path / "x.engine")
    assert (tmp_path / "x.engine").read_bytes()[start:] == b"plan"
    assert metadata == json.loads(json.dumps({"names": {0: "Käse"}}))


def test_ultralytics_own_engine_export_takes_the_fused_graph():
    """`format=engine` needs a GPU; its ONNX file is that of the method we wrap, by name, on the exporter itself."""
    own = inspect.getclosurevars(Exporter.export_engine).nonlocals["inner_func"]
    assert "export_onnx" in own.__code__.co_names and Exporter.export_onnx is exporter.export_onnx
