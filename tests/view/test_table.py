"""The table of a model's rows."""

import pytest
from ultralytics import YOLO

from yolo_attn.upstream import layout
from yolo_attn.view import table


def test_the_totals_are_the_models():
    found = table.lines(layout.load("yolov5n-gam.yaml"))
    model = YOLO("yolov5n-gam.yaml").model
    assert sum(line.layer.parameters for line in found) == sum(p.numel() for p in model.parameters())
    assert sum(line.layer.flops for line in found) / 1e9 == pytest.approx(model.info(imgsz=640)[3], rel=0.03)
