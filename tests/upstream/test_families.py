"""Every base family: pretrained weights follow into any operator at any place, and an identity start keeps the output.

Each run takes a sample. All bases that Ultralytics ships, each with every operator, the places in turn:

    pytest --all tests/upstream/test_families.py
"""

import copy
import random

import pytest
import torch
from ultralytics import RTDETR, YOLO
from ultralytics.nn import tasks
from ultralytics.nn.tasks import BaseModel
from ultralytics.utils import LOGGER

from tests.support.bases import BASES, PLACES
from tests.support.sensitive import sensitive
from yolo_attn import registry
from yolo_attn.errors import AttentionError
from yolo_attn.nn import Attention
from yolo_attn.surgery import recipe
from yolo_attn.tolerance import TOLERANCE
from yolo_attn.upstream import layout

# World models' blocks read a text beside the image, and the operators on both are Ultralytics' own.
IMAGE_BASES = [stem for stem in BASES if "world" not in stem]
CASES = [
    (stem, operator, PLACES[(i + j) % len(PLACES)])
    for i, stem in enumerate(IMAGE_BASES)
    for j, operator in enumerate(registry.names())
]
SAMPLE = [
    ("yolov3-tiny", "GAM", "backbone"), ("yolov5", "CBAM", "head"), ("yolov6", "ECA", "neck"),
    ("yolov8-seg", "CoordAtt", "in:neck"), ("yolov8-p2", "BAM", "head-P3"), ("yolov9t", "TripletAttention", "P4"),
    ("yolov10n", "GSoP", "sppf"), ("yolo11-pose", "SRM", "in:backbone"), ("yolo12", "GCT", "stages"),
    ("yolo26-obb", "FcaNet", "backbone,head-P5,in:neck-P3"), ("yolov8-cls", "EncNet", "P5"),
    ("yolov5-p6", "BiAttention", "P6"), ("rtdetr-l", "SE", "neck"), ("yolo26", "NonLocal", "P5"),
]  # fmt: skip
ONNX = [
    "yolov5n-gam", "yolov6n-eca-neck", "yolov8n-seg-cbam-head", "yolov9t-se-P5", "yolov10n-coordatt",
    "yolo11n-pose-srm-P4", "yolo12n-bam", "yolo26n-obb-eca-in-neck", "yolov3-tiny-eca", "rtdetr-l-eca-neck",
]  # fmt: skip


def pytest_generate_tests(metafunc):
    """`pytest --all` takes every case, other runs the sample."""
    everything = metafunc.config.getoption("--all")
    if metafunc.function is test_weights_follow_and_the_output_stays:
        cases = CASES if everything else SAMPLE
        metafunc.parametrize(("stem", "operator", "at"), cases, ids=[" ".join(case) for case in cases])
    if metafunc.function is test_one_of_each_family_is_exported:
        metafunc.parametrize("name", ONNX if everything else random.Random(0).sample(ONNX[:-1], 3))


def network(d: dict) -> BaseModel:
    """Returns the model of a model dict, of whatever task."""
    model = BaseModel()
    model.yaml = d = {**d, "scale": d.get("scale") or next(iter(d.get("scales") or {"": 0}))}
    model.model, model.save = tasks.parse_model(copy.deepcopy(d), d.get("channels", 3), verbose=False)
    model.names = {}
    return model.eval()


def maps(model: BaseModel, x: torch.Tensor) -> list[torch.Tensor]:
    """Returns what arrives at the head."""
    outputs: list[torch.Tensor] = []
    for layer in model.model[:-1]:
        f = layer.f
        x = x if f == -1 else outputs[f] if isinstance(f, int) else [x if j == -1 else outputs[j] for j in f]
        x = layer(x)
        outputs.append(x)
    head = model.model[-1]
    return [outputs[i] for i in recipe.sources([[layer.f] for layer in model.model], head.i)]


def test_weights_follow_and_the_output_stays(stem, operator, at, caplog, record_property):
    d = layout.load(f"{stem}.yaml")
    try:
        with_attention = recipe.insert(d, operator, at, layout.layers(d), {"start": "identity"})
    except AttentionError as error:
        pytest.skip(f"not there: {error}")
    plain = sensitive(network(d), size=64)
    try:
        model = network(with_attention)
    except AttentionError as error:
        pytest.skip(f"does not fit: {error}")
    LOGGER.addHandler(caplog.handler)
    model.load(plain)
    LOGGER.removeHandler(caplog.handler)
    tensors = len(plain.state_dict())
    assert f"Transferred {tensors}/{tensors} base tensors" in caplog.text
    assert any(isinstance(m, registry.get(operator).cls) for m in model.modules())
    x = torch.rand(1, d.get("channels", 3), 64, 64)
    with torch.no_grad():
        for got, want in zip(maps(model, x), maps(plain, x), strict=True):
            error = ((got - want).abs().max() / want.abs().max().clamp(min=1)).item()
            record_property("error", error)
            assert error <= TOLERANCE["float32"]


@pytest.mark.parametrize("name", ["yolov8n-eca-head", "yolo26n-eca-head"])
def test_an_export_with_nms_in_the_graph_is_compared_too(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = YOLO(f"{name}.yaml")
    sensitive(model.model)
    model.export(format="onnx", imgsz=64, nms=True, conf=0.001)


def test_one_of_each_family_is_exported(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = (RTDETR if name.startswith("rtdetr") else YOLO)(f"{name}.yaml")
    assert any(isinstance(m, Attention) for m in model.model.modules())
    sensitive(model.model, size=64 if name.startswith("rtdetr") else 160)
    model.export(format="onnx", imgsz=64)  # compared with PyTorch by the exporter
