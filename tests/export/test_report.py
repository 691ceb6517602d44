"""The report of an export: nodes, kernels and time of each attention layer."""

import importlib.util
import re
from pathlib import Path

import onnx
import pytest
from ultralytics import YOLO

from tests.support.sensitive import sensitive
from yolo_attn import cli, export
from yolo_attn.device.paths import layer_of
from yolo_attn.errors import AttentionError
from yolo_attn.export import plan, rtx, runtime

RTX = importlib.util.find_spec("tensorrt_rtx") is not None
NETWORK = """
nc: 2
backbone:
  - [-1, 1, Conv, [16, 3, 2]]
  - [-1, 1, C3_SE, [32]]
  - [-1, 1, Conv, [64, 3, 2]]
  - [-1, 1, GAM, []]
head:
  - [[-1], 1, Detect, [nc]]
"""
INSIDE, BEHIND = "model.1.m.0.attn", "model.3"


@pytest.fixture
def checkpoint(tmp_path) -> Path:
    """A small network with SE inside a block and GAM behind another layer."""
    (tmp_path / "small.yaml").write_text(NETWORK)
    yolo = YOLO(tmp_path / "small.yaml")
    sensitive(yolo.model)
    yolo.save(tmp_path / "best.pt")
    (tmp_path / "small.yaml").unlink()
    return tmp_path / "best.pt"


def table(text: str) -> dict[str, list[str]]:
    """Returns the cells of each row of the report's table, by the layer."""
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| model.")]
    return {row[0]: row[1:] for row in rows}


@pytest.mark.parametrize("dynamic", [False, True], ids=["static", "dynamic"])
def test_every_layer_has_its_nodes_and_kernels(checkpoint, dynamic, caplog):
    keys = [f"model={checkpoint}", "format=onnx", "imgsz=64", f"dynamic={dynamic}", "report=True"]
    assert cli.main(["export", *keys]) == 0
    text = (checkpoint.parent / "best_report.md").read_text(encoding="utf-8")
    assert text.strip() in caplog.text
    rows = table(text)
    assert list(rows) == [INSIDE, BEHIND]

    graph = onnx.load(checkpoint.with_suffix(".onnx")).graph
    prefixes = {INSIDE: "/model.1/m/m.0/attn/", BEHIND: "/model.3/"}
    for layer, (operator, before, after, run, share, launched) in rows.items():
        assert operator.startswith(("SE(", "GAM("))
        written = sum(node.name.startswith(prefixes[layer]) for node in graph.node)
        assert int(after) == written > 0 and int(before) >= int(after)
        assert 0 < int(run) < 3 * written and 0 < float(share.rstrip("%")) < 100
        assert (0 < int(launched) <= written) if RTX else launched == "not measured"
    assert f"Whole network: {len(graph.node)} nodes" in text
    assert f"## {INSIDE} SE(16" in text and re.search(r"- ONNX Runtime: .*Conv", text)


def test_kernels_of_the_runtime_add_up(checkpoint):
    file = export.run(checkpoint, format="onnx", imgsz=64)
    kernels = runtime.kernels(file, (1, 3, 64, 64))
    # Four convolutions of GAM, and no other kernel, with its activations in them.
    mine = [kernel for kernel in kernels if any(layer_of(name, {BEHIND: ""}) for name in kernel.names)]
    assert [kernel.operator for kernel in mine].count("Conv") == 4
    assert not {"Relu", "Shape", "Transpose"} & {kernel.operator for kernel in mine}
    assert all(kernel.microseconds >= 0 for kernel in kernels)
    nodes = len(onnx.load(file).graph.node)
    assert len(kernels) < nodes + sum(kernel.operator.startswith("Reorder") for kernel in kernels)


@pytest.mark.skipif(not RTX, reason="the extra `rtx` is not installed")
def test_an_engine_has_a_report_of_its_own(checkpoint):
    engine = export.run(checkpoint, format="rtx", targets="sm89", imgsz=64, quantize=16, report=True)
    report = engine.with_name("best_rtx_report.md")
    assert {file.name for file in checkpoint.parent.iterdir()} == {"best.pt", engine.name, report.name}
    text = report.read_text(encoding="utf-8")
    assert all(int(cells[-1]) > 0 for cells in table(text).values())
    assert "TensorRT-RTX 1.7" in text and "- TensorRT-RTX: " in text


def test_where_tensorrt_says_nothing_the_report_says_so(checkpoint, monkeypatch):
    if RTX:
        monkeypatch.setattr(rtx.tensorrt(), "__version__", "2.0.1")
    export.run(checkpoint, format="onnx", imgsz=64, report=True)
    text = (checkpoint.parent / "best_report.md").read_text(encoding="utf-8")
    assert all(cells[-1] == "not measured" for cells in table(text).values())
    assert ("plans are read of release 1.7.x, this is 2.0.1" if RTX else "pip install yolo_attn[rtx]") in text
    assert plan.kernels(b"another format") == []


def test_other_formats_have_no_report(checkpoint):
    with pytest.raises(AttentionError, match="format=onnx and format=rtx write, not format=ncnn"):
        export.run(checkpoint, format="ncnn", report=True)
