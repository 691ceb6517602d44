"""Which maps EncNet's statistics are of goes where its tensors go: moving averages, checkpoints, new models."""

import torch
from torch import nn
from ultralytics import YOLO
from ultralytics.nn.tasks import DetectionModel
from ultralytics.utils.torch_utils import ModelEMA

from tests.upstream.test_golden import GOLDEN
from yolo_attn.nn import EncNet

ROWS = {
    "nc": 2,
    "backbone": [[-1, 1, "Conv", [16, 3, 4]], [-1, 1, "EncNet", []], [-1, 1, "C3_EncNet", [16, True]]],
    "head": [[[1, 2], 1, "Detect", ["nc"]]],
}


def built() -> nn.Module:
    torch.manual_seed(0)
    return DetectionModel(ROWS, verbose=False)


def sizes(model: nn.Module) -> list[int]:
    return [m.norm.size.pixels for m in model.modules() if isinstance(m, EncNet)]


def trained() -> nn.Module:
    model = built().train()
    model(torch.rand(2, 3, 64, 64))
    return model.eval()


def said(model: nn.Module, width: int = 96) -> torch.Tensor:
    with torch.no_grad():
        return model.eval()(torch.rand(1, 3, 64, width, generator=torch.Generator().manual_seed(0)))[0]


def test_building_a_network_is_no_training():
    """Ultralytics runs it on an image of another size to find its strides."""
    assert sizes(built()) == [0, 0]
    assert sizes(trained()) == [16 * 16] * 2


def test_the_moving_averages_know_it():
    model = built()
    ema = ModelEMA(model)
    for _ in range(3):
        model.train()(torch.rand(2, 3, 64, 64))
        ema.update(model)
    assert sizes(ema.ema) == [16 * 16] * 2


def test_a_new_model_knows_it_with_the_weights():
    source, model = trained(), built()
    model.load(source, verbose=False)
    assert sizes(model) == sizes(source)
    assert torch.equal(said(model), said(source))


def test_weights_of_0_1_0_compute_what_they_did_in_a_new_model():
    old = YOLO(GOLDEN / "operators.pt").model.float()
    model = DetectionModel(old.yaml, verbose=False)
    model.load(old, verbose=False)
    assert sizes(model) == [4]
    assert torch.equal(said(model), said(old))


def test_a_restricted_load_knows_it(tmp_path, monkeypatch):
    monkeypatch.setenv("ULTRALYTICS_SAFE_LOAD", "1")
    torch.save({"model": trained().half(), "train_args": {}}, tmp_path / "m.pt")
    assert sizes(YOLO(tmp_path / "m.pt").model) == [16 * 16] * 2
