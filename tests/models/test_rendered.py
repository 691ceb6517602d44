"""The shipped models are what the recipe renders."""

import pytest
from ultralytics.cfg import TASKS

from tests.support import yamls
from yolo_attn import models
from yolo_attn.upstream import layout
from yolo_attn.upstream.lookup import FOLDERS


@pytest.fixture(scope="module")
def rendered() -> dict[str, str]:
    return models.render_all()


def test_shipped_models_are_what_the_recipe_renders(rendered):
    shipped = {file.name: file.read_text(encoding="utf-8") for file in FOLDERS["models"].glob("*.yaml")}
    assert shipped == rendered, "render them again: python -m yolo_attn.models"


def test_names_avoid_what_ultralytics_routes_elsewhere(rendered):
    traps = ("sam_", "sam2_", "sam3", "mobile_sam", "rtdetr", "fastsam", "yolo_nas", "-sem", *(f"-{t}" for t in TASKS))
    assert not [name for name in rendered for trap in traps if trap in name]


def test_every_row_carries_its_number_and_stride(rendered):
    text = rendered["yolo26-cbam.yaml"]
    model = yamls.read(FOLDERS["models"] / "yolo26-cbam.yaml")
    strides = [layer.stride for layer in layout.layers(model)]
    notes = [line.split(" # ")[1].split() for line in text.splitlines() if line.startswith("  - [")]
    assert [int(note[0]) for note in notes] == list(range(len(strides) + 1))
    assert [int(note[1].split("/")[1]) for note in notes[:-1]] == strides
