"""`yolo-attn maps`: the gates are those that multiplied, where they did, and what a layer changes is what is drawn."""

import copy

import cv2
import numpy as np
import pytest
import torch
from ultralytics import YOLO
from ultralytics.data.augment import LetterBox
from ultralytics.utils import ASSETS

from tests.support.sensitive import sensitive
from yolo_attn import registry
from yolo_attn.errors import AttentionError
from yolo_attn.evidence import changes, maps
from yolo_attn.evidence.changes import Box
from yolo_attn.evidence.gates import over_picture, watched
from yolo_attn.evidence.layers import attention, off
from yolo_attn.evidence.options import MapsOptions


def scattered(module: torch.nn.Module) -> torch.nn.Module:
    """Gives a module numbers that make every gate differ from 1 and from place to place."""
    torch.manual_seed(0)
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return module.eval()


@pytest.mark.parametrize("name", registry.names())
def test_the_gate_is_what_the_map_was_multiplied_by(name):
    layer = scattered(registry.get(name).cls(16))
    x = torch.rand(1, 16, 6, 5) + 0.5
    with watched(torch.nn.Sequential(layer)) as watch, torch.no_grad():
        out = torch.nn.Sequential(layer)(x)
    seen = watch.layers["0"]
    if seen.gate is None:
        assert seen.spatial is None and seen.channels is None
        return
    assert torch.allclose(out / x, seen.gate.expand_as(x), atol=1e-5, rtol=1e-4)
    if seen.spatial is not None:
        assert torch.allclose(seen.spatial, (out / x)[0].mean(0), atol=1e-4, rtol=1e-3)
    if seen.channels is not None:
        assert torch.allclose(seen.channels, (out / x)[0].mean((1, 2)), atol=1e-4, rtol=1e-3)


def test_a_gate_lies_over_what_it_multiplied():
    """A bright square is where it was, in a picture of another shape than the network's."""
    picture = np.zeros((200, 400, 3), np.uint8)
    picture[40:120, 240:360] = 255
    letterboxed = LetterBox((256, 256), auto=False)(image=picture)
    map_ = torch.from_numpy(letterboxed[4::8, 4::8, 0].copy()).float() / 255
    over = over_picture(map_, (256, 256), (200, 400))
    bright = torch.from_numpy(picture[..., 0] > 0)
    assert over.shape == (200, 400)
    assert (
        ((over > 0.9) == bright).float().mean() > 0.95 and over[60:100, 260:340].min() > 0.9 and over[:25].max() == 0.0
    )


def test_random_weights_are_others_and_the_layer_keeps_its_own():
    layer = scattered(registry.get("CBAM").cls(16))
    before = copy.deepcopy(layer.state_dict())
    with watched(torch.nn.Sequential(layer)) as watch, torch.no_grad():
        torch.nn.Sequential(layer)(torch.rand(1, 16, 6, 6))
    seen = watch.layers["0"]
    assert not torch.allclose(seen.at_random().gate, seen.gate)
    assert all(torch.equal(value, before[key]) for key, value in layer.state_dict().items())


def test_boxes_are_lost_gained_and_moved():
    there = Box(0, (10, 10, 50, 50), 0.9)
    moved = Box(0, (12, 10, 52, 50), 0.7)
    other_class = Box(1, (10, 10, 50, 50), 0.8)
    new = Box(0, (80, 80, 90, 90), 0.4)
    found = changes.between([there, other_class], [moved, new])
    assert found.lost == [other_class] and found.gained == [new] and found.kept == [(there, moved)]
    assert str(found) == "without it 1 boxes are lost, 1 gained, 1 moved; a score by -0.20 at most"
    assert str(changes.between([], [])) == "without it 0 boxes are lost, 0 gained, 0 moved; a score by +0.00 at most"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A detector whose CBAM changes what it finds, by numbers that were drawn."""
    model = YOLO("yolov5n-cbam-P5.yaml")
    sensitive(model.model)
    file = tmp_path_factory.mktemp("maps") / "best.pt"
    model.save(file)
    return file


def run(checkpoint, folder, **other) -> int:
    said = {"source": str(ASSETS / "bus.jpg"), "imgsz": 160, "project": str(folder), "conf": 0.25}
    return maps.command(MapsOptions(str(checkpoint), **said | other))


def test_a_sheet_for_a_picture_and_what_a_layer_changes(tmp_path, checkpoint, caplog, log):
    assert run(checkpoint, tmp_path, save_npy=True) == 0
    sheet = cv2.imread(str(tmp_path / "maps" / "bus.png"))
    assert sheet.shape[0] > 300 and sheet.std() > 10
    model = YOLO(checkpoint)
    ((path, layer),) = attention(model.model).items()
    gate = np.load(tmp_path / "maps" / f"bus-{path}.npy")
    assert gate.shape[:2] == (1, layer.channels)
    model.model.fuse = lambda *_, **__: model.model
    with_it = model.predict(ASSETS / "bus.jpg", imgsz=160, conf=0.25)[0]
    with off(layer):
        without = model.predict(ASSETS / "bus.jpg", imgsz=160, conf=0.25)[0]
    expected = changes.between(changes.boxes_of(with_it), changes.boxes_of(without))
    assert expected.lost or expected.gained or any(one != other for one, other in expected.kept)
    assert f"{path}: {expected}" in log.text


def test_a_folder_gets_a_sheet_for_each_picture(tmp_path, checkpoint):
    for name in ("a.jpg", "b.png"):
        cv2.imwrite(str(tmp_path / name), cv2.resize(cv2.imread(str(ASSETS / "bus.jpg")), (120, 160)))
    (tmp_path / "runs" / "maps").mkdir(parents=True)
    run(checkpoint, tmp_path / "runs", source=str(tmp_path))
    assert sorted(str(file.relative_to(tmp_path / "runs")) for file in (tmp_path / "runs").rglob("*.png")) == [
        "maps-2/a.png", "maps-2/b.png",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("model", "source", "said"),
    [
        ("nowhere.pt", "bus.jpg", "there is no checkpoint 'nowhere.pt'"),
        ("yolo11n-cbam.yaml", "bus.jpg", "is no checkpoint: train it first"),
        (None, "nowhere.jpg", "source=nowhere.jpg cannot be read"),
    ],
)
def test_what_cannot_be_drawn_is_one_line(tmp_path, checkpoint, model, source, said):
    with pytest.raises(AttentionError, match=said):
        run(model or checkpoint, tmp_path, source=source)
    assert not list(tmp_path.rglob("*.png"))


def test_a_model_without_attention_is_said(tmp_path):
    YOLO("yolov5n.yaml").save(tmp_path / "plain.pt")
    with pytest.raises(AttentionError, match="has no attention"):
        run(tmp_path / "plain.pt", tmp_path)
