"""Static files run in the DNN module of the installed OpenCV, with ONNX Runtime's values."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from ultralytics import YOLO

from tests.support.operators import OPTIONS
from tests.support.sensitive import sensitive
from yolo_attn.export.parity import error, runner
from yolo_attn.tolerance import TOLERANCE

HALVES = [list(OPTIONS)[::2], list(OPTIONS)[1::2]]


def values(file: Path, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns what OpenCV's DNN and ONNX Runtime make of noise."""
    x = torch.rand(1, 3, size, size, generator=torch.Generator().manual_seed(0))
    network = cv2.dnn.readNetFromONNX(str(file))
    network.setInput(x.numpy())
    return network.forward(), runner(file)(x)[0]


@pytest.mark.parametrize("opset", [12, 18])
@pytest.mark.parametrize("operators", HALVES, ids=", ".join)
def test_each_operator_between_convolutions(operators, opset, tmp_path):
    rows = [row for name in operators for row in (f"[-1, 1, {name}, []]", "[-1, 1, Conv, [32, 3]]")]
    backbone = "".join(f"  - {row}\n" for row in ["[-1, 1, Conv, [32, 3, 2]]", *rows])
    text = f"nc: 8\nbackbone:\n{backbone}head:\n  - [[-1], 1, Detect, [nc]]\n"
    (tmp_path / "many.yaml").write_text(text)
    yolo = YOLO(tmp_path / "many.yaml")
    sensitive(yolo.model, size=64)
    yolo.save(tmp_path / "many.pt")
    got, want = values(Path(YOLO(tmp_path / "many.pt").export(format="onnx", imgsz=32, opset=opset)), 32)
    assert error(got, want) <= TOLERANCE["float32"]


NETWORKS = ["yolov5n-{}", "yolov8n-{}-head", "yolo11n-{}-in-neck", "yolo26n-{}"]


def test_networks(tmp_path, monkeypatch, request):
    """A few of them; with `--all` each operator in each."""
    monkeypatch.chdir(tmp_path)
    names = [network.format(name.lower()) for name in OPTIONS for network in NETWORKS]
    for name in names if request.config.getoption("--all") else ["yolov5n-cbam", "yolo26n-bam"]:
        yolo = YOLO(f"{name}.yaml")
        sensitive(yolo.model, size=64)
        got, want = values(Path(yolo.export(format="onnx", imgsz=64, opset=12)), 64)
        assert error(got, want) <= TOLERANCE["float32"], name
