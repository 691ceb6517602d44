"""EncNet's semantic-encoding loss: in training alone, as a column of its own, and in no copy of the model."""

import copy
import csv
from pathlib import Path

import pytest
import torch
from ultralytics import YOLO

from yolo_attn.nn import EncNet
from yolo_attn.upstream import presence
from yolo_attn.upstream.lookup import FOLDERS

ROW = "[-1, 1, EncNet, [{codes: 4, loss_weight: 0.3}]]"


@pytest.fixture(params=["detect", "segment"])
def trained(request, tmp_path, datasets):
    """A training of one epoch with EncNet in three rows, in this process."""
    text = (FOLDERS["models"] / "yolov5-eca.yaml").read_text().replace("[-1, 1, ECA, []]", ROW)
    data = "shapes.yaml"
    if request.param == "segment":
        text, data = text.replace("Detect, [nc]", "Segment, [nc, 32, 256]"), "shapes-seg.yaml"
    model = tmp_path / "yolov5n-enc.yaml"
    model.write_text(text)
    yolo = YOLO(model)
    yolo.train(
        data=data, epochs=1, imgsz=64, fraction=0.05, batch=8, workers=0, plots=False, project=tmp_path, name="t",
        device="cpu",
    )  # fmt: skip
    return yolo.trainer


def test_it_is_a_column_of_the_training_log_and_nowhere_else(trained):
    with (trained.save_dir / "results.csv").open() as stream:
        row = next(csv.DictReader(stream))
    assert 0.03 < float(row["train/se_loss"]) < 1.5  # three encoders, 0.3 × ln 2 each to begin with: 0.62
    assert float(row["val/se_loss"]) == 0
    live = [m for m in trained.model.modules() if isinstance(m, EncNet)]
    assert len(live) == 3 and all(m.presence is not None for m in live)
    optimised = {id(p) for group in trained.optimizer.param_groups for p in group["params"]}
    assert all(id(p) in optimised for m in live for p in m.presence.parameters())
    assert not any("presence" in key for key in trained.ema.ema.state_dict())
    checkpoint = torch.load(Path(trained.last), weights_only=False)
    kept = checkpoint["model"] or checkpoint["ema"]
    assert not any("presence" in key for key in kept.state_dict())
    assert all(m.presence is None for m in copy.deepcopy(trained.model).modules() if isinstance(m, EncNet))


def model_with_encoder(weight: float = 0.3) -> torch.nn.Module:
    d = {"nc": 3, "yaml_file": "m.yaml", "depth_multiple": 1.0, "width_multiple": 1.0,
         "backbone": [[-1, 1, "Conv", [16, 3, 8]], [-1, 1, "EncNet", [{"codes": 4, "loss_weight": weight}]]],
         "head": [[[1], 1, "Detect", ["nc"]]]}  # fmt: skip
    from ultralytics.cfg import get_cfg
    from ultralytics.nn.tasks import DetectionModel

    torch.manual_seed(0)
    model = DetectionModel(d, verbose=False)
    model.args = get_cfg()
    return model.train()


def batch() -> dict:
    """Two images: classes 0 and 2 in the first, none in the second."""
    labels = {"batch_idx": torch.zeros(3), "cls": torch.tensor([[0.0], [2], [2]]), "bboxes": torch.full((3, 4), 0.4)}
    return {"img": torch.rand(2, 3, 64, 64), **labels}


def test_the_loss_is_the_cross_entropy_of_presence():
    model, labels = model_with_encoder(), batch()
    plain, _ = model.loss(labels)
    presence.attach(model, 3)
    encoder = model.model[1]
    seen = []
    encoder.presence.register_forward_hook(lambda _, __, output: seen.append(output))
    total, items = model.loss(labels)
    p = seen[0].sigmoid().double()
    truth = [[1, 0, 1], [0, 0, 0]]
    entropy = -sum((p[i][c] if truth[i][c] else 1 - p[i][c]).log() for i in range(2) for c in range(3)) / 6
    assert items["se_loss"].item() == pytest.approx(0.3 * entropy.item(), rel=1e-5)
    assert total[-1].item() == pytest.approx(2 * 0.3 * entropy.item(), rel=1e-5)
    assert len(total) == len(plain) + 1
    total.sum().backward()
    assert encoder.presence.weight.grad.abs().sum() > 0
    assert encoder.codewords.grad.abs().sum() > 0


def test_it_is_absent_from_evaluation_and_where_its_weight_is_zero():
    model = model_with_encoder()
    presence.attach(model, 3)
    assert "se_loss" not in model.eval().loss(batch())[1]
    without = model_with_encoder(weight=0)
    presence.attach(without, 3)
    assert without.model[1].presence is None
    assert "se_loss" not in without.loss(batch())[1]
