"""The deploy forms in other formats than ONNX: exported by the stock exporter, run, compared with PyTorch."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch
from ultralytics import YOLO
from ultralytics.nn.autobackend import AutoBackend

from tests.support.sensitive import sensitive
from yolo_attn import insert
from yolo_attn.export.parity import error
from yolo_attn.insertion import text

PLACES = {"gam": "P5", "cbam": "head-P3", "eca": "head-P4", "coordatt": "head-P5"}
# ncnn computes in FP16 where it can.
FORMATS = {"torchscript": ("torch", 1e-4), "openvino": ("openvino", 1e-4), "ncnn": ("ncnn", 1e-2)}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A yolov5n with the four main operators, one at each place."""
    folder = tmp_path_factory.mktemp("formats")
    source = "yolov5n.yaml"
    for name, place in PLACES.items():
        rows = insert(source, name, at=place)
        source = folder / f"yolov5n-{name}.yaml"
        source.write_text(text(rows, source.stem, "test"))
    yolo = YOLO(source)
    sensitive(yolo.model)
    yolo.save(folder / "best.pt")
    return folder / "best.pt"


@pytest.mark.parametrize("format", FORMATS)
def test_a_format_agrees_with_pytorch(format, checkpoint):
    package, tolerance = FORMATS[format]
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed")
    x = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        want = YOLO(checkpoint).model.eval().fuse(verbose=False)(x)[0].numpy()
    exported = YOLO(checkpoint).export(format=format, imgsz=64)
    if format == "openvino":  # whose backend in Ultralytics lets some processors compute in BF16
        from openvino import Core

        file = next(Path(exported).glob("*.xml"))
        network = Core().compile_model(file, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        got = network(x.numpy())[0]
    else:
        backend = AutoBackend(exported, device=torch.device("cpu"), verbose=False)
        got = np.asarray(backend(x)[0] if isinstance(backend(x), (list, tuple)) else backend(x))
    assert error(got.reshape(want.shape), want) < tolerance
