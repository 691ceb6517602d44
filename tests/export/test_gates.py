"""Files that also give their spatial gates: the same as PyTorch's, and everything else as it was."""

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from ultralytics import YOLO

from tests.support.sensitive import sensitive
from yolo_attn import registry
from yolo_attn.errors import AttentionError
from yolo_attn.evidence.gates import watched
from yolo_attn.export import gates, run

SPATIAL = (
    "BAM",
    "CBAM",
    "CoordAtt",
    "ELA",
    "EMA",
    "GAM",
    "LSKA",
    "MLCA",
    "NAM",
    "SimAM",
    "TripletAttention",
    "BiAttention",
)


def exported(name: str, folder, monkeypatch, **arguments):
    """Returns a model with an operator, in its backbone and inside a block, and its file with gates."""
    monkeypatch.chdir(folder)
    model = YOLO(f"yolov5n-{name.lower()}-P4-P5.yaml")
    sensitive(model.model, size=64)
    model.save("best.pt")
    return model, run("best.pt", imgsz=64, gates=True, **arguments)


def outputs(file, x: np.ndarray) -> dict[str, np.ndarray]:
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    taken = session.get_inputs()[0]
    x = x.astype(np.float16 if "float16" in taken.type else np.float32)
    return dict(zip([one.name for one in session.get_outputs()], session.run(None, {taken.name: x}), strict=True))


@pytest.mark.parametrize("name", registry.names())
def test_the_gates_of_a_file_are_those_of_pytorch(name, tmp_path, monkeypatch, pytestconfig):
    if not pytestconfig.getoption("all") and name not in ("CBAM", "CoordAtt", "SE"):
        pytest.skip("--all: every operator")
    model, file = exported(name, tmp_path, monkeypatch)
    x = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with watched(model.model) as watch, torch.no_grad():
        model.model.eval()(x)
    expected = {f"gate:{path}": seen for path, seen in watch.layers.items() if seen.spatial is not None}
    found = {name: value for name, value in outputs(file, x.numpy()).items() if name.startswith("gate:")}
    assert bool(expected) == (name in SPATIAL) and set(found) == set(expected)
    for output, seen in expected.items():
        shown = np.broadcast_to(found[output][0, 0], seen.spatial.shape)
        assert np.allclose(shown, seen.spatial, atol=1e-3 * float(seen.gate.abs().max()))


@pytest.mark.parametrize("arguments", [{"dynamic": True, "opset": 13}, {"quantize": 16}], ids=str)
def test_what_the_file_gave_before_comes_first_and_is_the_same(arguments, tmp_path, monkeypatch):
    _, file = exported("CBAM", tmp_path, monkeypatch, **arguments)
    x = np.random.default_rng(0).random((1, 3, 64, 64), np.float32)
    with_gates = outputs(file, x)
    plain = run("best.pt", imgsz=64, **arguments)
    without = outputs(plain, x)
    assert list(with_gates)[: len(without)] == list(without) and len(with_gates) == len(without) + 2
    assert all(np.array_equal(with_gates[name], value) for name, value in without.items())


def test_the_metadata_names_the_layers_and_a_channel_gate_adds_nothing(tmp_path, monkeypatch, log):
    _, file = exported("CBAM", tmp_path, monkeypatch)
    written = {entry.key: entry.value for entry in onnx.load(file).metadata_props}
    assert written[gates.KEY] == "; ".join(
        name[5:] for name in outputs(file, np.zeros((1, 3, 64, 64))) if "gate" in name
    )
    _, file = exported("SE", tmp_path, monkeypatch)
    assert len(outputs(file, np.zeros((1, 3, 64, 64)))) == 1 and "no output was added" in log.text


def test_other_formats_are_refused(tmp_path):
    with pytest.raises(AttentionError, match="gates=True adds outputs to what format=onnx writes"):
        run("best.pt", format="openvino", gates=True)
