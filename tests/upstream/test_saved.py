"""What was in memory is what a checkpoint computes: every operator, both starts, saved in every way there is."""

import copy
from pathlib import Path

import pytest
import torch
import yaml
from torch import nn
from ultralytics import YOLO

from yolo_attn import registry
from yolo_attn.nn import Attention
from yolo_attn.surgery.rows import IDENTITY, STARTS

SMALL = {"GSoP": {"dimension": 8}, "EncNet": {"codes": 4}}  # beside a reduction of 4, where there is one


def attention(name: str, start: str) -> list[list]:
    """Returns rows with an operator, as itself and in a block."""
    options = {"reduction": 4} if "reduction" in registry.get(name).options else {}
    options |= SMALL.get(name, {}) | {"start": start}
    return [[-1, 1, name, [options]], [-1, 1, f"C3_{name}", [32, True, options]]]


def network(rows: list[list], folder: Path) -> YOLO:
    """Returns a detector with attention whose every number differs from where it started, as checkpoints hold it.

    Batch norms know what arrives, so that a change anywhere is seen at the end.
    """
    strided = [[-1, 1, "Conv", [16, 3, 2]], [-1, 1, "Conv", [32, 3, 2]]]
    last = len(strided) + len(rows)
    head = [[[last - 1, last], 1, "Detect", ["nc"]]]
    file = folder / "m.yaml"
    file.write_text(yaml.safe_dump({"nc": 3, "backbone": [*strided, *rows, [-1, 1, "Conv", [32, 3, 2]]], "head": head}))
    torch.manual_seed(0)
    yolo = YOLO(file)
    yolo.ckpt = {"epoch": -1}  # as if it came from a file: `save` adds the model, `train` goes on from it
    with torch.no_grad():
        for key, parameter in yolo.model.named_parameters():
            if "dfl" not in key:
                parameter.add_(torch.randn_like(parameter) * (0.3 if parameter.ndim == 1 else 0.1))
    for _ in range(10):
        yolo.model.train()(torch.rand(4, 3, 64, 64))
    yolo.model.half().float().eval()
    return yolo


def outputs(model: nn.Module) -> list[torch.Tensor]:
    """Returns what arrives at the head, and what it says."""
    seen: list[torch.Tensor] = []
    hook = model.model[-1].register_forward_pre_hook(lambda _, inputs: seen.extend(x.clone() for x in inputs[0]))
    with torch.no_grad():
        said = model(torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(1)))[0]
    hook.remove()
    return [*seen, said]


def difference(model: nn.Module, other: nn.Module) -> float:
    return max((a - b).abs().max().item() for a, b in zip(outputs(model), outputs(other), strict=True))


def as_the_trainer_saves(model: nn.Module, file) -> None:
    ema = copy.deepcopy(model).half()
    torch.save({"epoch": 0, "model": None, "ema": ema, "train_args": {}, "optimizer": None}, file)


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("name", registry.names())
def test_a_checkpoint_computes_what_was_in_memory(name, start, tmp_path):
    yolo, file = network(attention(name, start), tmp_path), tmp_path / "m.pt"
    operators = [m for m in yolo.model.modules() if isinstance(m, Attention)]
    blended = start == IDENTITY and not operators[0].starts_as_identity
    assert [m.blend is not None and bool(m.blend.all()) for m in operators] == [blended, blended]
    memory = copy.deepcopy(yolo.model)
    yolo.save(file)
    assert difference(YOLO(file).model, memory) == 0
    YOLO(file).save(file)  # read and written again
    assert difference(YOLO(file).model, memory) == 0
    yolo.model = copy.deepcopy(memory).fuse(verbose=False).half().float()
    yolo.save(file)
    assert difference(YOLO(file).model, yolo.model) == 0


@pytest.mark.parametrize("start", STARTS)
def test_what_the_trainer_writes_is_its_moving_average(start, tmp_path, datasets):
    """One epoch with every operator, and its checkpoint before and after the optimizer is stripped off."""
    yolo = network([row for name in registry.names() for row in attention(name, start)], tmp_path)
    kept = {}

    def keep(trainer) -> None:
        kept["memory"] = copy.deepcopy(trainer.ema.ema).half().float()
        kept["difference"] = difference(YOLO(trainer.last).model, kept["memory"])

    yolo.add_callback("on_model_save", keep)
    yolo.train(
        data="shapes.yaml", epochs=1, imgsz=64, fraction=0.02, batch=8, workers=0, plots=False, project=tmp_path,
        name="t", device="cpu",
    )  # fmt: skip
    assert kept["difference"] == 0
    assert torch.load(yolo.trainer.last, weights_only=False)["ema"] is None  # stripped
    assert difference(YOLO(yolo.trainer.last).model, kept["memory"]) == 0
    assert difference(disturbed(kept["memory"]), kept["memory"]) > 1e-5


def disturbed(model: nn.Module) -> nn.Module:
    other = copy.deepcopy(model)
    other.model[0].conv.weight.data[0, 0, 0, 0] *= 1.01
    return other


def test_the_comparison_sees_a_small_change(tmp_path):
    memory = network(attention("SE", "paper"), tmp_path).model
    assert difference(disturbed(memory), memory) > 1e-5
