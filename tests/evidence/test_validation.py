"""One pass measures what as many validations of Ultralytics' own do."""

import copy

import numpy as np
import pytest
import torch
from torch import nn
from ultralytics import YOLO

from tests.support.self_labelled import SIZE
from yolo_attn.errors import AttentionError
from yolo_attn.evidence import layers, validation
from yolo_attn.upstream.fuse import LAYER_ATTRIBUTES

PATHS = ["model.1", "model.2.m.0.attn", "model.4", "model.6"]
TASKS = ["detect", "segment", "pose", "obb", "classify"]


def settings(data: str) -> dict:
    return {"data": data, "imgsz": SIZE, "batch": 4, "plots": False, "verbose": False}


def plain(file, data: str, off: list[str]) -> tuple[float, dict[int, float]]:
    """Validates as `yolo val` does, with nothing at all in the place of some layers."""
    model = YOLO(file)
    for path in off:
        parent, _, name = path.rpartition(".")
        nothing, layer = nn.Identity(), model.model.get_submodule(path)
        for attribute in LAYER_ATTRIBUTES:
            if hasattr(layer, attribute):
                setattr(nothing, attribute, getattr(layer, attribute))
        setattr(model.model.get_submodule(parent), name, nothing)
    metrics = model.val(**settings(data))
    if model.task == "classify":
        return metrics.top1, {}
    return metrics.box.map, dict(zip(metrics.box.ap_class_index.tolist(), metrics.box.ap.tolist(), strict=True))


@pytest.mark.parametrize("task", TASKS)
def test_the_network_and_each_variant_measure_as_validated_alone(task, labelled):
    file, data = labelled(task)
    variants = {path: [path] for path in (PATHS if task == "detect" else [])} | {"all": PATHS}
    found = validation.validate(layers.load(file), variants, **settings(data)).measured
    for name, off in {"": [], **variants}.items():
        accuracy, classes = plain(file, data, off)
        assert found[name].accuracy == accuracy, name
        assert {kind: found[name].classes[kind] for kind in classes} == classes, name
    assert found[""].accuracy > found["all"].accuracy
    assert found[""].outcome.images == 10


def test_a_layer_without_a_share_changes_nothing(labelled):
    file, data = labelled("detect")
    found = validation.validate(layers.load(file), {"off": ["model.4"]}, **settings(data))
    one, other = (found.measured[name].outcome for name in ("", "off"))
    assert np.array_equal(one.score, other.score) and np.array_equal(one.hit, other.hit)
    assert found.spreads["model.4"].near_1 == 1


def test_statistics_that_leave_empty_images_out_still_have_their_images():
    """As up to 8.3.150, where an image without labels and boxes has none."""

    class Elder:
        class args:
            task = "detect"

        metrics = object()
        stats = {name: [] for name in validation.KEPT}

        def update_metrics(self, preds, batch):
            for i in (0, 2):
                for name, value in (("tp", np.ones((i, 10), bool)), ("conf", np.ones(i)), ("pred_cls", np.zeros(i))):
                    self.stats[name].append(value)
                self.stats["target_cls"].append(np.zeros(1 if i == 0 else 0))

    preds, batch = [torch.zeros(0, 6), torch.zeros(0, 6), torch.zeros(2, 6)], {"batch_idx": torch.tensor([0.0])}
    gathered, elder = validation.Gathered(), Elder()
    gathered.add(elder, Elder, preds, batch, 10)
    assert gathered.images == [10, 12]
    outcome = gathered.outcome(elder, 20)
    assert outcome.image.tolist() == [12, 12] and outcome.label_image.tolist() == [10]
    with pytest.raises(AttentionError, match="single images"):
        gathered.add(elder, Elder, [*preds, torch.zeros(1, 6)], batch, 13)


def test_data_that_is_not_there_is_one_line(labelled):
    model = layers.load(labelled("detect")[0])
    with pytest.raises(AttentionError, match="data=nowhere.yaml cannot be used: FileNotFoundError"):
        validation.check_data(model, "nowhere.yaml", "val")
    with pytest.raises(AttentionError, match="no split 'test'"):
        validation.check_data(model, labelled("detect")[1], "test")
    semantic = copy.copy(model)
    semantic.task = "semantic"
    with pytest.raises(AttentionError, match="this model is for semantic"):
        validation.check_data(semantic, labelled("detect")[1], "val")
