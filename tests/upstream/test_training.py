"""Training from pretrained weights: what `freeze` counts, resuming, and how attention starts."""

import copy
from pathlib import Path

import pytest
import torch
from torch import nn
from ultralytics import YOLO

from tests.support.networks import (
    CONV,
    base_layers,
    build,
    chain,
    rows_of,
)
from tests.support.sensitive import sensitive
from yolo_attn.export.parity import error
from yolo_attn.nn import SE, Attention
from yolo_attn.surgery import recipe
from yolo_attn.tolerance import TOLERANCE
from yolo_attn.upstream import training
from yolo_attn.upstream.correspondence import is_attention_row


@pytest.mark.parametrize(("asked", "rows"), [(3, [0, 1, 3]), ([0, 2], [0, 3]), (99, [0, 1, 3, 4, 6]), ([7], [])])
def test_freeze_counts_the_layers_of_the_base(asked, rows):
    model = build(recipe.insert_after(recipe.insert_after(chain(*[CONV] * 4), 2, "SE"), 1, "SE"))
    assert [is_attention_row(layer) for layer in model.model] == [i in (2, 4) for i in range(7)]
    wanted = {3: [0, 1, 3], 99: [0, 1, 3, 5, 6]}.get(asked) if isinstance(asked, int) else rows
    assert training.translated(asked, model.model) == [str(row) for row in wanted]


def test_freeze_leaves_attention_inside_a_block_trainable():
    block = nn.Sequential(nn.Conv2d(3, 8, 1), nn.ModuleDict({"cv": nn.Conv2d(8, 8, 1), "attn": SE(8, reduction=2)}))
    layers = nn.Sequential(nn.Identity(), SE(8, reduction=2), nn.ModuleDict({"m": block}))
    assert training.translated([1], layers) == ["2.m.0", "2.m.1.cv"]


TINY = {
    "data": "shapes.yaml", "imgsz": 64, "fraction": 0.1, "batch": 8, "workers": 0, "device": "cpu",
    "nbs": 8, "warmup_epochs": 0, "optimizer": "SGD", "val": False, "plots": False, "verbose": False,
}  # fmt: skip


@pytest.fixture(scope="module")
def base_file(tmp_path_factory) -> Path:
    file, yolo = tmp_path_factory.mktemp("weights") / "base.pt", YOLO("yolov5n.yaml")
    sensitive(yolo.model)
    yolo.save(file)
    return file


class Interrupted(Exception):
    pass


def interrupt(trainer) -> None:
    raise Interrupted


def test_training_from_pretrained_weights_freezing_resuming_fusing(base_file, tmp_path, datasets, log, monkeypatch):
    """The whole way: one epoch of two with pretrained=… and freeze=…, interrupted, resumed, validated, fused."""
    base = YOLO(base_file).model
    started = {}

    def note(trainer):
        started["rows"] = copy.deepcopy(trainer.model.yaml["backbone"])
        started["base"] = [copy.deepcopy(layer.state_dict()) for layer in base_layers(trainer.model)]
        started["free"] = {k for k, p in trainer.model.named_parameters() if p.requires_grad}
        started["blend"] = [m.blend.detach().clone() for m in trainer.model.modules() if isinstance(m, Attention)]
        optimised = {id(p) for group in trainer.optimizer.param_groups for p in group["params"]}
        started["optimised"] = all(id(p) in optimised for p in trainer.model.parameters())

    yolo = YOLO("yolov5n-cbam.yaml")
    yolo.add_callback("on_train_start", note)
    yolo.add_callback("on_model_save", interrupt)
    with pytest.raises(Interrupted):
        yolo.train(epochs=2, pretrained=base_file, freeze=10, project=tmp_path, name="t", **TINY)
    for layer, source in zip(started["base"][:-1], base_layers(base), strict=False):  # the head has other classes
        assert all(torch.equal(layer[key], value.float()) for key, value in source.state_dict().items())
    assert started["rows"][5] == [-1, 1, "CBAM", [{"start": "identity"}]]
    assert [blend.tolist() for blend in started["blend"]] == [[0, 0]] * 3 and started["optimised"]
    frozen = {int(k.split(".")[1]) for k, _ in yolo.trainer.model.named_parameters() if k not in started["free"]}
    assert frozen == {0, 1, 2, 3, 4, 6, 7, 9, 10, 12, 27}  # rows 5, 8, 11 are attention; 27 has Ultralytics' fixed dfl
    assert yolo.trainer.args.freeze == 10
    assert (
        "Transferred 421/427 base tensors" in log.text and "freeze=10 counts the layers without attention" in log.text
    )

    live = [m for m in yolo.trainer.model.modules() if isinstance(m, Attention)]
    assert all((m.blend != 0).all() for m in live)
    monkeypatch.setenv("ULTRALYTICS_SAFE_LOAD", "1")
    interrupted = YOLO(yolo.trainer.last)
    blends = [m.blend.clone() for m in interrupted.model.modules() if isinstance(m, Attention)]
    interrupted.add_callback("on_train_start", note)
    log.clear()
    interrupted.train(resume=True)
    assert interrupted.trainer.epoch == 1 and interrupted.trainer.args.freeze == 10
    assert all(torch.allclose(a, b, rtol=1e-2) for a, b in zip(started["blend"], blends, strict=True))
    assert "Transferred 427/427 base tensors, 33 of attention" in log.text
    assert "starts as the identity" not in log.text

    x = torch.rand(1, 3, 64, 64)
    model = YOLO(interrupted.trainer.last).model.float().eval()
    assert model.yaml["backbone"][5] == [-1, 1, "CBAM", [{"start": "identity"}]]
    before = model(x)[0]
    after = model.fuse(verbose=False)(x)[0]
    assert error(after.numpy(), before.detach().numpy()) <= TOLERANCE["float32"]


def test_loading_by_hand_then_training(base_file, tmp_path, datasets, log):
    yolo = YOLO("yolov5n-eca-head.yaml").load(base_file)
    assert "Transferred 427/427 base tensors, 6 new" in log.text
    seen = []
    yolo.add_callback("on_train_start", lambda trainer: seen.append(copy.deepcopy(trainer.model).float()))
    yolo.train(epochs=1, project=tmp_path, name="t", **TINY)
    x = torch.rand(1, 3, 64, 64)
    model = seen[0].eval()
    plain = build(rows_of("yolov5n"), nc=model.yaml["nc"]).eval()
    plain.load(model, verbose=False)
    assert torch.equal(plain(x)[0], model(x)[0])


def test_from_scratch_attention_starts_as_in_its_paper(tmp_path, datasets, log):
    yolo = YOLO("yolov5n-eca.yaml")
    yolo.train(epochs=1, project=tmp_path, name="t", **TINY)
    assert "no pretrained weights: attention starts as in its paper in rows 5, 8, 11" in log.text
    assert not any("blend" in key for key in yolo.trainer.model.state_dict())
