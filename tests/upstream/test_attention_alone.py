"""The attention of a pretrained network trained alone, then everything: what has a gradient, and what stays."""

import copy
from pathlib import Path

import pytest
import torch
from torch import nn
from ultralytics import YOLO

from tests.support.sensitive import sensitive
from tests.support.tiny import TINY, detector, written
from yolo_attn.nn import Attention

BESIDE = detector((0, ["CBAM", [{"reduction": 4}]]), (1, "ECA"), nc=4)
INSIDE = detector(nc=4)
INSIDE["backbone"][1] = [-1, 1, "C2f", [16, True]]


@pytest.fixture(scope="module")
def bases(tmp_path_factory) -> dict[str, Path]:
    """Checkpoints of the bases, whose batch norms are not those of new layers."""
    folder, files = tmp_path_factory.mktemp("bases"), {}
    for name, rows in (("beside", detector(nc=4)), ("inside", INSIDE)):
        yolo = YOLO(written(rows, folder / f"{name}.yaml"))
        sensitive(yolo.model)
        files[name] = folder / f"{name}.pt"
        yolo.save(files[name])
    return files


def attention_of(model: nn.Module) -> tuple[str, ...]:
    return tuple(f"{name}." for name, m in model.named_modules() if isinstance(m, Attention))


def trained(yolo: YOLO, **arguments) -> tuple[nn.Module, set[str], dict[str, torch.Tensor]]:
    """Trains for two epochs; returns the model, the parameters that had a gradient, and all tensors of the start."""
    had, began = set(), {}

    def note(trainer):
        began.update({key: value.clone() for key, value in trainer.model.state_dict().items()})
        for name, parameter in trainer.model.named_parameters():
            if parameter.requires_grad:
                parameter.register_hook(lambda _, name=name: had.add(name))

    yolo.add_callback("on_train_start", note)
    yolo.train(epochs=2, name="t", **{**TINY, **arguments})
    return yolo.trainer.model, had, began


@pytest.mark.parametrize("kind", ["beside", "inside"])
def test_attention_alone_then_everything(kind, bases, tmp_path, datasets, log):
    rows = BESIDE
    if kind == "inside":
        rows = copy.deepcopy(INSIDE)
        rows["backbone"][1] = [-1, 1, "C2f_CBAM", [16, True, {"reduction": 4}]]
    yolo = YOLO(written(rows, tmp_path / "mine.yaml"))
    model, had, began = trained(yolo, pretrained=bases[kind], freeze=4, project=tmp_path)
    own = attention_of(model)
    assert had == {name for name, _ in model.named_parameters() if name.startswith(own)}
    base = {key for key in began if not key.startswith(own)}
    assert {key.rpartition(".")[2] for key in base} >= {"running_mean", "running_var", "num_batches_tracked"}
    for now in (model, yolo.trainer.ema.ema, YOLO(yolo.trainer.best).model.float()):
        assert all(torch.equal(now.state_dict()[key].to(began[key]), began[key]) for key in base)  # bit for bit
    assert all((m.blend != 0).any() for m in model.modules() if isinstance(m, Attention))
    assert "freeze=4 counts the layers without attention: rows 0, " in log.text

    log.clear()
    model, had, again = trained(YOLO(yolo.trainer.best), project=tmp_path / "all")
    assert had == {name for name, _ in model.named_parameters() if "dfl" not in name}
    assert all(torch.equal(again[key], began[key]) for key in base)  # it goes on from there
    moved = {key for key, value in model.state_dict().items() if not torch.equal(value, again[key])}
    assert all(key in moved for key in base if "running" in key)
    assert f"Transferred {len(base)}/{len(base)} base tensors, " in log.text and " of attention" in log.text
    assert "starts as" not in log.text


def test_with_other_classes_the_head_is_left_out(bases, tmp_path, datasets, log):
    rows = {**BESIDE, "nc": 4}
    model, had, began = trained(
        YOLO(written(rows, tmp_path / "mine.yaml")), pretrained=bases["beside"], freeze=3, project=tmp_path
    )
    trains = (*attention_of(model), f"model.{len(rows['backbone'])}.")
    assert had == {name for name, _ in model.named_parameters() if name.startswith(trains) and "dfl" not in name}
    now = model.state_dict()
    assert all(torch.equal(now[key], value) for key, value in began.items() if not key.startswith(trains))
