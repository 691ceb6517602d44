"""`yolo_attn.live` finds what `yolo predict` finds, for every head that the exporter writes, on real pictures."""

import numpy as np
import pytest
from ultralytics import YOLO

import yolo_attn.live
from tests.support.live_models import IMGSZ, PICTURES, export

# "nms": False is Ultralytics' word for the end-to-end head.
SAMPLE = [
    ("yolov8n.yaml", {}),
    ("yolov5n.yaml", {"dynamic": True}),
    ("yolo11n.yaml", {"nms": True}),
    ("yolo26n-seg.yaml", {"nms": False}),
    ("yolov8n-pose.yaml", {}),
    ("yolov8n-obb.yaml", {}),
    ("yolo11n-cls.yaml", {}),
]
OTHERS = [
    ("yolo26n.yaml", {"nms": False}),
    ("yolov8n-seg.yaml", {}),
    ("yolo11n-seg.yaml", {"nms": True}),
    ("yolo11n-pose.yaml", {"nms": True}),
    ("yolo26n-pose.yaml", {"nms": False}),
    ("yolo11n-obb.yaml", {"nms": True}),
    ("yolo26n-obb.yaml", {"nms": False}),
]


def pytest_generate_tests(metafunc):
    """`pytest --all` takes every head, other runs the sample."""
    if metafunc.function is test_same_as_yolo_predict:
        models = SAMPLE + OTHERS if metafunc.config.getoption("--all") else SAMPLE
        names = ["-".join([name.removesuffix(".yaml"), *(f"{k}={v}" for k, v in o.items())]) for name, o in models]
        metafunc.parametrize(("name", "options"), models, ids=names)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("live")


def boxes_of(result):
    """Returns Ultralytics' boxes (N, 4), scores and classes."""
    found = result.boxes if result.obb is None else result.obb
    return found.xyxy, found.conf, found.cls


def overlaps(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Returns the IoU of each box in `a` (N, 4) with its like in `b` (N, 4), 1 for two that lie outside the picture."""
    low, high = np.maximum(a[:, :2], b[:, :2]), np.minimum(a[:, 2:], b[:, 2:])
    both = (high - low).clip(0).prod(1)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(1) for boxes in (a, b)]
    union = areas[0] + areas[1] - both
    return np.where(union > 0, both / np.maximum(union, 1e-9), 1)


def test_same_as_yolo_predict(name, options, folder, monkeypatch):
    monkeypatch.chdir(folder)  # the exporter writes beside the model, which is nowhere
    file = export(name, folder, **options)
    expected = [
        YOLO(file).predict(picture, imgsz=IMGSZ, retina_masks=True, verbose=False)[0].cpu().numpy()
        for picture in PICTURES
    ]
    results = list(yolo_attn.live(file, source=list(map(str, PICTURES))))
    results.sort(key=lambda result: result.index)
    assert len(results) == len(expected)
    found = 0
    for result, other in zip(results, expected, strict=True):
        if other.probs is not None:
            assert np.argmax(result.probs) == other.probs.top1
            assert np.abs(result.probs - other.probs.data).max() < 0.01  # another filter shrinks the picture
            found += 1
            continue
        xyxy, confidence, class_id = boxes_of(other)
        assert len(result) == len(xyxy)
        found += len(xyxy)
        assert np.array_equal(result.class_id, class_id)
        assert np.abs(result.confidence - confidence).max(initial=0) < 1e-3
        assert np.abs(result.xyxy - xyxy).max(initial=0) < 0.1
        assert overlaps(result.xyxy, xyxy).min(initial=1) > 0.99
        if other.obb is not None:
            assert np.abs(result.xywhr - other.obb.xywhr).max(initial=0) < 0.1
        if other.keypoints is not None:
            assert np.abs(result.keypoints - other.keypoints.data).max(initial=0) < 0.1
        if other.masks is not None:
            ours, theirs = result.mask, other.masks.data.astype(bool)
            assert ((ours & theirs).sum((1, 2)) / (ours | theirs).sum((1, 2))).min(initial=1) > 0.99
    assert found >= (2 if "cls" in name else 8)
