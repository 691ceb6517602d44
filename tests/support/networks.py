"""Small networks in which every tensor differs from every other, with attention and without."""

import copy

import torch
from torch import nn
from ultralytics.nn import tasks

import yolo_attn
from yolo_attn.surgery import recipe
from yolo_attn.upstream.correspondence import is_attention_row


def rows_of(base: str) -> dict:
    return tasks.yaml_model_load(f"{base}.yaml")


def with_attention(base: str | dict, *attention: tuple[str, str]) -> dict:
    """Returns a base with each (operator, place); a classifier, which has no head to put it before, after row 2."""
    model = rows_of(base) if isinstance(base, str) else base
    for name, place in attention:
        if place == "head" and model["head"][-1][2] == "Classify":
            model = recipe.insert_after(model, 2, name)
        else:
            model = yolo_attn.insert(model, name, at=place)
    return model


def build(rows: dict, nc: int | None = None) -> nn.Module:
    task = {"Classify": tasks.ClassificationModel, "Segment": tasks.SegmentationModel}
    cls = next((cls for kind, cls in task.items() if kind in rows["head"][-1][2]), tasks.DetectionModel)
    return cls(copy.deepcopy(rows), nc=nc, verbose=False)


def pretrained(base: str | dict, nc: int | None = None, seed: int = 1) -> nn.Module:
    """Returns a base in which no two tensors are alike, by chance or by initialisation."""
    model = build(rows_of(base) if isinstance(base, str) else base, nc)
    generator = torch.Generator().manual_seed(seed)
    for tensor in model.state_dict().values():
        if tensor.is_floating_point():
            tensor.copy_(torch.rand(tensor.shape, generator=generator) * 0.1 + 0.1)
    return model


def base_layers(model: nn.Module) -> list[nn.Module]:
    return [layer for layer in model.model if not is_attention_row(layer)]


def assert_same_base(model: nn.Module, source: nn.Module) -> None:
    """Compares every tensor of every base layer with that of the source's layer of the same number."""
    for k, (mine, theirs) in enumerate(zip(base_layers(model), base_layers(source), strict=True)):
        got, want = mine.state_dict(), theirs.state_dict()
        assert got.keys() == want.keys(), k
        assert all(torch.equal(got[key], want[key]) for key in want), k


def chain(*rows: list) -> dict:
    return {"nc": 2, "depth_multiple": 1.0, "width_multiple": 1.0, "backbone": [list(row) for row in rows],
            "head": [[-1, 1, "Classify", ["nc"]]]}  # fmt: skip


CONV = [-1, 1, "Conv", [16, 3]]
