"""Files that are more than a base with attention: other blocks, rows put in or out, heads and bases of one's own."""

import copy

import pytest

from tests.support.wiring import assert_mended, base, find, put_in, reading, rightly, said
from yolo_attn.surgery import origin, recipe
from yolo_attn.upstream.oversights import bases


def other_blocks() -> dict:
    """YOLOv8 with C3 for each C2f, half its channels and a scale of its own."""
    model = copy.deepcopy(base("yolov8"))
    for row in recipe.all_rows(model):
        row[2:] = [row[2].replace("C2f", "C3"), [a // 2 if isinstance(a, int) and a > 100 else a for a in row[3]]]
    return {**model, "nc": 3, "scales": {"w": [0.5, 0.5, 512]}}


def in_place_of_a_block() -> dict:
    """YOLOv5 with SE where the last stage's C3 was: a tutorial's, no number of which moves."""
    model = copy.deepcopy(base("yolov5"))
    recipe.all_rows(model)[8][1:] = [1, "SE", []]
    return model


def a_stage_shorter() -> dict:
    """YOLOv8 without the block of P5, every number moved with it."""
    model = copy.deepcopy(base("yolov8"))
    rows = recipe.all_rows(model)
    rows[9][0] = 7  # the pooling reads the convolution
    shorter = [row for i, row in enumerate(rows) if i != 8]
    for row in shorter:
        f = [number - (number > 8) for number in (row[0] if isinstance(row[0], list) else [row[0]])]
        row[0] = f if isinstance(row[0], list) else f[0]
    return {**model, "backbone": shorter[:9], "head": shorter[9:]}


def four_inputs() -> dict:
    """YOLOv8 whose head reads P2 of the backbone as well."""
    return reading(base("yolov8"), row_22=[2, 15, 18, 21])


def weighted_neck() -> dict:
    """YOLOv8 whose neck reads P4 of the backbone once more, as BiFPN's does."""
    return reading(base("yolov8"), row_17=[-1, 12, 6])


def two_levels() -> dict:
    """A backbone of YOLOv8 and a neck of one's own, on P2 and P3."""
    model = copy.deepcopy(base("yolov8"))
    up = [-1, 1, "nn.Upsample", [None, 2, "nearest"]]
    model["head"] = [
        up, [[-1, 6], 1, "Concat", [1]], [-1, 3, "C2f", [512]],
        up, [[-1, 4], 1, "Concat", [1]], [-1, 3, "C2f", [256]],
        up, [[-1, 2], 1, "Concat", [1]], [-1, 3, "C2f", [128]],
        [-1, 1, "Conv", [128, 3, 2]], [[-1, 15], 1, "Concat", [1]], [-1, 3, "C2f", [256]],
        [[18, 21], 1, "Detect", ["nc"]],
    ]  # fmt: skip
    return model


def of_ones_own() -> dict:
    """A small network that is near no base."""
    rows = [[-1, 1, "Conv", [16, 3, 2]], [-1, 1, "Conv", [16, 3, 2]], [-1, 1, "Conv", [32, 3, 2]], [-1, 1, "C3", [32]]]
    rows += [[-1, 1, "Conv", [64, 3, 2]], [-1, 1, "C3", [64]], [-1, 1, "Conv", [64, 3, 2]], [-1, 1, "C3", [64]]]
    return {"nc": 2, "backbone": rows, "head": [[[3, 5, 7], 1, "Detect", ["nc"]]]}


FILES = [other_blocks, in_place_of_a_block, a_stage_shorter, four_inputs, weighted_neck, two_levels, of_ones_own]


@pytest.mark.parametrize("file", FILES)
def test_rightly_wired_files_give_no_alarm(file):
    assert find(file()) == []
    for row in (2, 6):
        assert find(rightly(file(), row)) == []


@pytest.mark.parametrize("file", FILES)
def test_nothing_shifted(file):
    for rows in ((4,), (2, 6)):
        assert_mended(put_in(file(), *rows), rightly(file(), *rows))


@pytest.mark.parametrize("file", FILES)
def test_the_head_not_shifted(file):
    right = rightly(file(), 2)
    last = len(recipe.all_rows(right)) - 1
    left = recipe.all_rows(file())[-1][0]
    f = [3 if file is four_inputs and number == 2 else number for number in left]  # 2, before the attention, is right
    assert_mended(reading(right, **{f"row_{last}": f}), right)


def test_a_concat_not_shifted_among_other_blocks():
    right = rightly(other_blocks(), 9)
    assert said(reading(right, row_18=[-1, 12])) == [
        "row 18 Concat reads [-1, 12], as before attention was put in; it should probably read [-1, 13]"
    ]


def test_two_inputs_of_one_level_are_said_where_nothing_explains_them():
    model = reading(rightly(of_ones_own(), 3), row_9=[3, 4, 8])
    assert said(model)[-1] == "row 9 Detect reads maps of strides 8, 8, 32, not one of each level"


@pytest.mark.parametrize("file", FILES[:-1])
def test_each_stands_near_its_base(file):
    found = origin.find(file(), bases())
    assert found is not None
    assert found.certain == (file in (other_blocks, in_place_of_a_block, four_inputs, weighted_neck))


def test_a_row_stands_where_its_module_does():
    model = copy.deepcopy(base("yolov8"))
    model["backbone"][8:9] = [[-1, 1, "CBAM", []], [-1, 1, "SPP", [1024]], [-1, 3, "C2f", [1024]], [-1, 1, "SE", []]]
    place = origin.find(model, bases()).place
    assert [place[k] for k in (7, 8, 9, 10)] == [7, 10, 12, 13]
