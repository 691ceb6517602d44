"""Files with gates: what is found is the same, and the gate lies over the picture where it multiplied."""

import cv2
import numpy as np
import pytest
import torch
from ultralytics import YOLO

from tests.support.live_models import IMGSZ, PICTURES, lively
from yolo_attn import export
from yolo_attn.evidence.gates import over_picture, watched
from yolo_attn.live.annotate import annotate
from yolo_attn.live.gates import Gate
from yolo_attn.live.heads import Thresholds
from yolo_attn.live.letterbox import letterbox
from yolo_attn.live.load import load
from yolo_attn.live.results import Frame, Result


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    file = tmp_path_factory.mktemp("gates") / "best.pt"
    lively("yolov5n-cbam-P4-P5.yaml").save(file)
    return file


def result(file, picture: np.ndarray) -> Result:
    model = load(str(file), None, "cpu", 1, Thresholds())
    work = model.prepare(Frame(picture, 0, "", 1, 0.0, 0.0))
    model.infer(work)
    return model.decode(work)


def test_what_is_found_is_the_same_and_the_gates_are_those_of_pytorch(checkpoint, monkeypatch):
    monkeypatch.chdir(checkpoint.parent)
    picture = cv2.resize(cv2.imread(str(PICTURES[0])), (200, 120))
    with_gates = result(export.run(checkpoint, imgsz=IMGSZ, gates=True), picture)
    without = result(export.run(checkpoint, imgsz=IMGSZ), picture)
    assert len(without) > 0 and np.array_equal(with_gates.xyxy, without.xyxy) and not without.gates
    model = YOLO(checkpoint)
    model.model.fuse = lambda *_, **__: model.model
    with watched(model.model) as watch:
        model.predict(picture, imgsz=(IMGSZ, IMGSZ), rect=False, verbose=False)
    assert [gate.layer for gate in with_gates.gates] == list(watch.layers)
    for gate in with_gates.gates:
        theirs = over_picture(watch.layers[gate.layer].spatial, watch.size, picture.shape[:2]).numpy()
        ours = gate.over_picture()
        assert ours.shape == theirs.shape == (120, 200)
        assert np.quantile(np.abs(ours - theirs), 0.9) < 1e-3  # but where one cell ends, pixels are shared otherwise


def test_a_gate_lies_over_what_it_multiplied():
    where = letterbox((100, 200), (160, 160), 32, rectangle=False)
    values = np.zeros((20, 20), np.float32)
    values[8, 12] = 1  # input rows 64 to 71, columns 96 to 103: of the picture rows 30 to 39, columns 120 to 129
    over = Gate("model.5", values, where).over_picture()
    assert over.shape == (100, 200) and over[30:40, 120:130].all() and over.sum() == 100


def test_the_gate_is_under_the_boxes_and_none_is_the_picture_itself():
    where = letterbox((64, 64), (64, 64), 32, rectangle=False)
    values = torch.rand(8, 8, generator=torch.Generator().manual_seed(0)).numpy()
    found = Result(np.full((64, 64, 3), 90, np.uint8), gates=[Gate("model.5", values, where)])
    assert np.array_equal(annotate(found), found.frame) and np.array_equal(annotate(found, 1), found.frame)
    shown = annotate(found, 0)
    high, low = np.unravel_index(values.argmax(), (8, 8)), np.unravel_index(values.argmin(), (8, 8))
    yellow, blue = (shown[8 * y + 2, 8 * x + 2].astype(int) for y, x in (high, low))
    assert yellow[1] > yellow[0] and blue[0] > blue[2]
