"""A base that lacks at one place what a gate there gives back, and attention everywhere, of which the rest is no use.

The channels that one place hands on are read through factors that no layer undoes but the gate at that place, whose
values are the factors: with it the network is what it was, and the labels are what that one found. The other gates are
nearly 1, each off by some thousandths at random.
"""

from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
import yaml
from torch import nn
from ultralytics import YOLO

from tests.support.live_models import PICTURES, lively
from yolo_attn.evidence.layers import attention
from yolo_attn.placement import everywhere
from yolo_attn.placement.everywhere import Everywhere

OPERATOR, SIZE, CLASSES = "se.r4", 96, 3
USELESS = 0.01  # the spread of the share that gates have which are of no use
LEAST, MOST = 0.25, 1.0  # of the planted factors
ROWS = {
    "nc": CLASSES,
    "backbone": [
        [-1, 1, "Conv", [16, 3, 4]], [-1, 1, "C3", [16]], [-1, 1, "Conv", [32, 3, 2]], [-1, 1, "C3", [32]],
        [-1, 1, "Conv", [32, 3, 2]], [-1, 1, "C3", [32]], [-1, 1, "SPPF", [32, 5]],
    ],
    "head": [[[3, 6], 1, "Detect", ["nc"]]],
}  # fmt: skip


ARGUMENTS = {"imgsz": SIZE, "batch": 16, "rect": False, "workers": 0}  # of yolo val: no border, as in `predict`


class Planted(NamedTuple):
    """The base's checkpoint, the one with attention everywhere, the data set, the places, and the one that counts."""

    base: Path
    trained: Path
    data: Path
    places: Everywhere
    word: str


def make(folder: Path, seed: int, images: int = 24) -> Planted:
    """Makes all of it in a folder; the seed decides which place it is, on the factors and the other gates."""
    folder.mkdir(parents=True, exist_ok=True)
    draw = np.random.default_rng(seed)
    (folder / "small.yaml").write_text(yaml.safe_dump(ROWS))
    model = lively(str(folder / "small.yaml"))
    with torch.no_grad():  # smaller boxes, most of which lie within the picture
        for branch in model.model.model[-1].cv2:
            branch[-1].bias.view(4, -1).add_(torch.linspace(6, -6, branch[-1].bias.numel() // 4))
    data = labelled(model, folder / "set", images)
    network = model.model
    places = everywhere.of({**ROWS, "yaml_file": "small.yaml"})
    able = [word for word in places.places if not word.startswith("in:")]
    word = able[draw.integers(len(able))]
    row = places.places[word].row
    channels = 16 if row == 1 else 32
    factors = torch.tensor(draw.uniform(LEAST, MOST, channels), dtype=torch.float32)
    with torch.no_grad():
        for convolution in readers(network, row, only_head=word.startswith("head")):
            axis = 1 if convolution.groups == 1 else 0  # a depthwise one has a filter of each channel
            shape = [1, -1, 1, 1] if axis else [-1, 1, 1, 1]
            convolution.weight.div_(factors.reshape(shape))
    model.save(folder / "base.pt")
    (folder / "everywhere.yaml").write_text(yaml.safe_dump(plain(places.model(OPERATOR, places.places))))
    trained = YOLO(folder / "everywhere.yaml").load(folder / "base.pt")
    found = attention(trained.model)
    with torch.no_grad():
        for layer in found.values():
            layer.blend.fill_(float(draw.normal(0, USELESS)))
        for path in places.paths(trained.model)[word]:
            last = [part for part in found[path].mlp.modules() if isinstance(part, nn.Conv2d)][-1]
            last.weight.zero_()
            last.bias.copy_(torch.logit(factors.clamp(max=1 - 1e-6)))
            found[path].blend.fill_(1.0)
    trained.model.names = model.model.names
    trained.save(folder / f"{OPERATOR}.pt")
    return Planted(folder / "base.pt", folder / f"{OPERATOR}.pt", data, places, word)


def readers(network: nn.Module, row: int, only_head: bool) -> list[nn.Conv2d]:
    """Returns the convolutions that read what a row gives; of the head alone where only that is meant."""
    found: list[nn.Conv2d] = []
    for i, layer in enumerate(network.model):
        sources = [i + f if f < 0 else f for f in (layer.f if isinstance(layer.f, list) else [layer.f])]
        if row not in sources:
            continue
        if i == len(network.model) - 1:
            level = sources.index(row)
            found += [first(branch[level]) for branch in (layer.cv2, layer.cv3)]
        elif not only_head:
            found += [layer.conv] if hasattr(layer, "conv") else [layer.cv1.conv]
            found += [layer.cv2.conv] if hasattr(layer, "cv3") else []  # a C3 reads its map twice
    return found


def first(branch: nn.Module) -> nn.Conv2d:
    """Returns the first convolution of a branch of the head."""
    return next(part for part in branch.modules() if isinstance(part, nn.Conv2d))


def labelled(model: YOLO, folder: Path, images: int) -> Path:
    """Draws parts of two pictures, labelled with what a model finds in them; returns the set's YAML."""
    wholes = [cv2.imread(str(picture)) for picture in PICTURES]
    draw = np.random.default_rng(0)
    for name in ("images", "labels"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for i in range(images):
        whole = wholes[i % 2]
        side = int(min(whole.shape[:2]) * draw.uniform(0.5, 0.9))
        y, x = (int(draw.uniform(0, length - side)) for length in whole.shape[:2])
        image = cv2.resize(whole[y : y + side, x : x + side], (SIZE, SIZE))
        cv2.imwrite(str(folder / "images" / f"{i}.png"), image)
        (found,) = model.predict(image, imgsz=SIZE, conf=0.25, verbose=False)
        lines = [
            f"{int(kind)} " + " ".join(f"{min(max(value, 0), 1):.5f}" for value in box)
            for kind, box in zip(found.boxes.cls, found.boxes.xywhn.tolist(), strict=True)
        ]
        (folder / "labels" / f"{i}.txt").write_text("\n".join(lines))
    said = {"path": str(folder), "train": "images", "val": "images", "names": {i: str(i) for i in range(CLASSES)}}
    file = folder.with_suffix(".yaml")
    file.write_text(yaml.safe_dump(said))
    return file


def plain(model: dict) -> dict:
    """Returns a model dict as a file has it."""
    return {key: value for key, value in model.items() if key not in ("yaml_file", "scale", "ch")}
