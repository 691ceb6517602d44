"""Every frame gets its own results, whatever a file says of its outputs: buffers used again hold no old ones."""

import numpy as np
import onnx
import pytest

from tests.support import task_sets
from tests.support.live_models import PICTURES, export
from yolo_attn.live.heads import Thresholds
from yolo_attn.live.load import load
from yolo_attn.live.results import Frame

KINDS = {
    "static": ("yolov5n.yaml", {}),
    "nms": ("yolov5n.yaml", {"nms": True}),
    "end to end": ("yolo26n.yaml", {}),
    "fp16": ("yolov5n.yaml", {"quantize": 16}),
    "int8": ("yolov5n.yaml", {"quantize": 8}),
    "two outputs": ("yolov8n-seg.yaml", {}),
}
LENGTHS = ("as exported", "open", "dynamic")
TURN = {"nms": "open", "end to end": "open", "fp16": "dynamic", "int8": "as exported", "two outputs": "open"}


def frames() -> list[Frame]:
    import cv2

    images = [cv2.resize(cv2.imread(str(picture)), (160, 120)) for picture in PICTURES[:2]]
    return [Frame(image, 0, "", number, 0.0, 0.0) for number, image in enumerate(images)]


def found(model, frame: Frame) -> list[np.ndarray]:
    work = model.prepare(frame)
    model.infer(work)
    outputs = [output.copy() for output in work.buffers.outputs]
    model.release(work)
    return outputs


def opened(file):
    return load(str(file), None, "cpu", 1, Thresholds())


def foreign(file, folder):
    """Writes a file whose lengths are open without a word of it in its metadata, as other exporters do."""
    model = onnx.load(file)
    kept = [(entry.key, entry.value) for entry in model.metadata_props if entry.key != "args"]
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, dict(kept))
    onnx.save(model, folder / "foreign.onnx")
    return folder / "foreign.onnx"


@pytest.mark.parametrize(
    ("kind", "lengths"),
    [
        pytest.param(kind, lengths, marks=() if TURN.get(kind, lengths) == lengths else pytest.mark.thorough)
        for kind in KINDS
        for lengths in LENGTHS
    ],
)
def test_buffers_that_are_used_again_equal_fresh_sessions(kind, lengths, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name, options = KINDS[kind]
    if kind == "int8":
        options = options | {"data": task_sets.data(tmp_path / "few", "detect")}
    file = export(name, tmp_path, **(options | ({"dynamic": True} if lengths != "as exported" else {})))
    if lengths == "open":
        file = foreign(file, tmp_path)
    used_again = opened(file)
    pair = frames()
    alone = [found(opened(file), frame) for frame in pair]
    assert any(not np.array_equal(a, b) for a, b in zip(*alone, strict=True))
    for _ in range(2):
        for frame, want in zip(pair, alone, strict=True):
            got = found(used_again, frame)
            assert len(got) == len(want) and all(map(np.array_equal, got, want))
