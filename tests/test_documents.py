"""What is generated is what stands there: the shipped models."""

import pytest
from ultralytics.cfg import TASKS
from ultralytics.utils import YAML

from yolo_attn import models
from yolo_attn.surgery import recipe
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


def test_a_model_dict_is_left_alone_and_every_reader_follows():
    model = {
        "backbone": [[-1, 1, "Conv", [8, 3, 2]], [-1, 1, "Conv", [8, 3, 2]], [-1, 1, "Conv", [8, 3, 2]]],
        "head": [[-2, 1, "Conv", [8]], [[-1, 1, -4], 1, "Concat", [1]], [[2, 4], 1, "Detect", ["nc"]]],
    }
    before = repr(model)
    inserted = recipe.insert_after(model, 1, "ECA")
    assert repr(model) == before
    assert [row[0] for row in inserted["backbone"]] == [-1, -1, -1, -1]
    # Row 3 read row 1, so row 4 reads its attention, row 2; row 4 read rows 3, 1 and 0; row 5 read rows 2 and 4.
    assert [row[0] for row in inserted["head"]] == [-2, [-1, 2, -5], [3, 5]]
    ahead = recipe.insert_before_head(model, "ECA")
    assert [row[0] for row in ahead["head"]] == [-2, [-1, 1, -4], 2, 4, [5, 6]]


def test_every_row_carries_its_number_and_stride(rendered):
    text = rendered["yolo26-cbam.yaml"]
    model = YAML.load(FOLDERS["models"] / "yolo26-cbam.yaml")
    strides = [layer.stride for layer in layout.layers(model)]
    notes = [line.split(" # ")[1].split() for line in text.splitlines() if line.startswith("  - [")]
    assert [int(note[0]) for note in notes] == list(range(len(strides) + 1))
    assert [int(note[1].split("/")[1]) for note in notes[:-1]] == strides
