"""Every operator as a row in backbone and in head: trains an epoch, exports to ONNX, predicts with the export.

Each run takes every sixth operator on one of three bases, in turn; `pytest --all` takes all of them on all three.
"""

import pytest
from ultralytics import YOLO

import yolo_attn
from tests.support import yamls
from tests.support.sensitive import sensitive
from yolo_attn import registry
from yolo_attn.nn import Attention

BASES = ("yolov5", "yolo11", "yolo26")
TURN = {(name, BASES[i // 6 % 3]) for i, name in enumerate(registry.names()) if i % 6 == 1}


@pytest.mark.parametrize(
    ("name", "base"),
    [
        pytest.param(name, base, marks=() if (name, base) in TURN else pytest.mark.thorough)
        for name in registry.names()
        for base in BASES
    ],
)
def test_train_export_predict(name, base, tmp_path, datasets):
    model = yolo_attn.insert(f"{base}.yaml", name, at=["P5", "head"])
    yamls.write(tmp_path / f"{base}n-zoo.yaml", model)
    yolo = YOLO(tmp_path / f"{base}n-zoo.yaml")
    sensitive(yolo.model)
    yolo.train(
        data="shapes.yaml", epochs=1, imgsz=64, fraction=0.02, batch=8, workers=0, plots=False, val=False,
        project=tmp_path, name="t", device="cpu",
    )  # fmt: skip
    assert sum(isinstance(m, Attention) for m in yolo.trainer.model.modules()) == 4
    file = YOLO(yolo.trainer.last).export(format="onnx", imgsz=64, dynamic=True)
    results = YOLO(file, task="detect").predict(datasets / "shapes" / "images" / "val" / "0003.jpg", imgsz=64)
    assert len(results) == 1 and results[0].orig_shape == (192, 192)
