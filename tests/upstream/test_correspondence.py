"""Rows added, left out or replaced cost their own weights and no other's; never fewer follow than without us."""

import copy
import random
import re

import pytest
import torch
from torch import nn
from ultralytics.nn import tasks
from ultralytics.utils.torch_utils import intersect_dicts

from tests.support.sensitive import sensitive
from tests.support.tiny import build
from yolo_attn import registry
from yolo_attn.surgery import recipe
from yolo_attn.surgery.alignment import best_alignment
from yolo_attn.upstream.correspondence import base_shapes, corresponding


def rows_of(base: str) -> dict:
    return tasks.yaml_model_load(f"{base}.yaml")


def replaced(base: str, row: int, *new: list) -> dict:
    """Returns a base with one row replaced by rows; references behind it are counted on where they are more."""
    model, more = rows_of(base), len(new) - 1
    rows = [*model["backbone"], *model["head"]]
    for other in rows[row + 1 :]:
        f = other[0] if isinstance(other[0], list) else [other[0]]
        f = [k + more if k >= row else k for k in f]
        other[0] = f if isinstance(other[0], list) else f[0]
    rows[row : row + 1] = [list(one) for one in new]
    return {**model, "backbone": rows, "head": []}


def transferred(model: nn.Module, source: nn.Module, log) -> tuple[int, int]:
    """Returns how many tensors of the base the log says have followed, and how many follow by Ultralytics' own rule."""
    by_rule = len(intersect_dicts(source.float().state_dict(), model.state_dict()))
    log.clear()
    model.load(source)
    return int(re.search(r"Transferred (\d+)/\d+ base tensors", log.text)[1]), by_rule


SE = [-1, 1, "SE", []]


@pytest.mark.parametrize(
    ("base", "row", "new"),
    [
        ("yolov5n", 6, [SE]),  # attention where a C3 was
        ("yolov5n", 8, [[-1, 1, "CBAM", []]]),
        ("yolov8n", 4, [SE]),
        ("yolov8n", 9, [SE]),  # SPPF
        ("yolov8n", 6, [SE, SE]),
        ("yolov8n", 6, [[-1, 6, "C3", [512, True]], SE]),  # another class, and attention behind it
        ("yolo11n", 10, [SE]),  # C2PSA
        ("yolov8n", 9, [[-1, 1, "SPP", [1024, [5, 9, 13]]], SE]),
        ("yolov8n", 5, [[-1, 1, "Conv", [512, 3, 2]], [-1, 1, "Conv", [512, 1, 1]], SE]),  # a row more
        ("yolo11n", 20, [[-1, 1, "DWConv", [512, 3, 2]], SE]),
    ],
)
def test_a_row_replaced_costs_its_own_weights_and_no_other(base, row, new, log):
    source = sensitive(build(rows_of(base)))
    rows = replaced(base, row, *new)
    model = build(rows)
    got, by_rule = transferred(model, source, log)
    more = len(new) - 1
    for j, theirs in enumerate(source.model):
        if j != row:
            mine = model.model[j if j < row else j + more].state_dict()
            assert all((mine[key] == value).all() for key, value in theirs.state_dict().items()), j
    own = base_shapes(source.model[row])
    kept = max(len(own.items() & base_shapes(model.model[row + k]).items()) for k in range(len(new)))
    others = len(source.state_dict()) - len(own)
    assert max(by_rule, others) <= got <= others + kept


@pytest.mark.parametrize(
    ("base", "source", "rows"),
    [  # of the base with a P2 head: rows of the source in the neck and head
        ("yolov8n-p2", "yolov8n", {12: 12, 15: 15, 22: 16, 24: 18, 25: 19, 27: 21, 28: 22}),
        ("yolov8n", "yolov8n-p2", {12: 12, 15: 15, 16: 22, 18: 24, 19: 25, 21: 27, 22: 28}),
        ("yolov8n-seg", "yolov8n", {row: row for row in range(23)}),
        ("yolov8n-cls", "yolov8n", {row: row for row in range(9)}),
        ("yolov8n", "yolov8n-cls", {row: row for row in range(9)}),
    ],
)
def test_another_head_meets_what_it_has_in_common(base, source, rows):
    classes = {"-seg": tasks.SegmentationModel, "-cls": tasks.ClassificationModel}
    models = [classes.get(name[7:], tasks.DetectionModel)(rows_of(name), verbose=False) for name in (base, source)]
    pairs = corresponding(models[0].model, models[1].model)
    assert {row: pairs.get(row) for row in rows} == rows


@pytest.mark.parametrize("nc", [80, 3])
def test_a_head_with_a_level_more_takes_each_level_at_its_place(nc, log):
    source = sensitive(build(rows_of("yolov8n")))
    model = build({**recipe.insert_after(rows_of("yolov8n-p2"), 4, "ECA"), "nc": nc})
    _, by_rule = transferred(model, source, log)
    mine, theirs = model.model[-1], source.model[-1]
    for level in range(3):  # P3 to P5; P2 is the first of the model's
        here, there = (head.cv2[at].state_dict() for head, at in ((mine, level + 1), (theirs, level)))
        assert all((here[key] == value).all() for key, value in there.items())
        assert nc != 80 or (mine.cv3[level + 1][2].weight == theirs.cv3[level][2].weight).all()
    assert not any((mine.cv2[0][1].conv.weight == branch[1].conv.weight).all() for branch in theirs.cv2)
    model(torch.zeros(1, 3, 64, 64))  # still whole, P2 included
    back = build(recipe.insert_after(rows_of("yolov8n"), 4, "ECA"))
    back.load(model, verbose=False)
    assert (back.model[-1].cv2[0][2].weight == mine.cv2[1][2].weight).all()


def test_attention_is_found_behind_a_row_that_has_another_number():
    trained = sensitive(build(recipe.insert_after(replaced("yolov8n", 4, [-1, 1, "Conv", [128]], SE), 7, "CBAM")))
    model = build(recipe.insert_after(recipe.insert_after(rows_of("yolov8n"), 6, "CBAM"), 2, "ECA"))
    model.load(trained, verbose=False)
    mine, theirs = model.model[8].state_dict(), trained.model[8].state_dict()
    assert all((mine[key] == value).all() for key, value in theirs.items())


def edited(rows: list[list], chance: random.Random) -> tuple[list[list], dict[int, int]]:
    """Returns a backbone with rows left out, replaced and added, and which of its rows is which of the old ones."""
    new, truth = [], {}
    for k, row in enumerate(rows):
        choice = chance.random()
        if choice < 0.15 and k:
            new.append([-1, 1, "SE", [{"reduction": 4}]])  # in its place; the next layer takes other channels
        elif choice < 0.25 and k:
            continue
        else:
            truth[len(new)] = k
            new.append(list(row))
        if chance.random() < 0.2:
            new.append([-1, 1, chance.choice(["SE", "ECA"]), []])
        if chance.random() < 0.1:
            new.append([-1, 1, "Conv", [row[3][0], 5]])
    return new, truth


def test_of_random_edits_never_fewer_follow_than_by_number(log):
    """Chains of equal and unequal layers; where all widths differ, each layer has its own weights."""
    chance = random.Random(0)
    better = 0
    for _ in range(25):
        widths = [chance.choice([16, 24, 32]) for _ in range(8)]
        rows = [[-1, 1, chance.choice(["Conv", "C2f"]), [width]] for width in widths]
        chains = rows, edited(rows, chance)[0]
        head = [[-1, 1, "Classify", ["nc"]]]
        shared = {"nc": 2, "depth_multiple": 1.0, "width_multiple": 1.0, "head": head}
        source, model = (
            tasks.ClassificationModel({**shared, "backbone": copy.deepcopy(chain)}, verbose=False) for chain in chains
        )
        got, by_rule = transferred(model, source, log)
        assert got >= by_rule
        better += got > by_rule
    assert better > 12


def test_where_layers_differ_each_has_its_own():
    chance = random.Random(1)
    for _ in range(20):
        rows = [[-1, 1, "nn.Conv2d", [4, 4, 2 * k + 1, 1, k]] for k in chance.sample(range(12), 8)]
        new, truth = edited(rows, chance)
        layers = []
        for chain in (rows, new):
            layers.append(nn.Sequential(*(layer_of(row) for row in chain)))
        assert corresponding(layers[1], layers[0]) == truth


def layer_of(row: list) -> nn.Module:
    """Returns a layer of a chain: a convolution told by its kernel, an added block, or attention."""
    name, args = row[2], row[3]
    if name == "nn.Conv2d":
        return nn.Conv2d(4, 4, args[2], padding=args[4])
    options = {"reduction": 2} if name == "SE" else {}
    layer = nn.ReLU() if name == "Conv" else registry.get(name).cls(4, **options)
    layer.f = -1
    return layer


def test_between_scales_the_order_of_rows_decides_and_not_shapes_that_agree_by_chance():
    rows = replaced("yolov8n", 6, SE)
    model, source = build(rows), build(rows_of("yolov8s"))
    kinds = corresponding(model.model, source.model, one_width=False)
    assert kinds == {i: i for i in range(23) if i != 6}
    by_shape = corresponding(model.model, source.model, one_width=True)
    assert by_shape != kinds  # a layer of n is as wide as an earlier one of s
    model.load(source, verbose=False)
    assert not (model.model[5].conv.weight == source.model[3].conv.weight).all()


def test_the_best_alignment_gains_most_and_comes_early():
    gains = {(0, 5): (1, 1, 0), (1, 5): (2, 1, 0), (1, 6): (2, 1, 0), (2, 6): (1, 1, 0), (0, 6): (9, 1, 0)}
    assert best_alignment([0, 1, 2], [5, 6], gains) == {0: 6}
    del gains[0, 6]
    assert best_alignment([0, 1, 2], [5, 6], gains) == {0: 5, 1: 6}
    assert best_alignment([], [5], {}) == {}
