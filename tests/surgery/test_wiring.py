"""Numbers that were not shifted are found and mended, and what is rightly wired gives no alarm: every base and place.

A run takes a sample of the places. Every place of every base that Ultralytics ships:

    pytest --all tests/surgery/test_wiring.py
"""

import copy
import random

import pytest

from tests.support.bases import BASES
from tests.support.wiring import EVERYWHERE, assert_mended, base, find, fix, places, put_in, reading, rightly, said
from yolo_attn.surgery import recipe

SAMPLE = random.Random(0).sample(EVERYWHERE, 60)


def pytest_generate_tests(metafunc):
    """`pytest --all` takes every place, other runs the sample."""
    everything = metafunc.config.getoption("--all")
    if "row" in metafunc.fixturenames:
        rows = EVERYWHERE if everything else SAMPLE
        metafunc.parametrize(("stem", "row"), rows, ids=[f"{stem} {row}" for stem, row in rows])
    elif "any_base" in metafunc.fixturenames:
        metafunc.parametrize("any_base", BASES if everything else random.Random(1).sample(BASES, 12))


# Every base and place -------------------------------------------------------------------------------------------------


def test_a_row_put_in_without_shifting_is_found_and_mended(stem, row):
    assert_mended(put_in(base(stem), row), rightly(base(stem), row))


def test_what_is_rightly_shifted_gives_no_alarm(stem, row):
    assert find(rightly(base(stem), row)) == []


def test_a_reader_of_the_row_before_the_attention_gives_no_alarm(stem, row):
    right = rightly(base(stem), row)
    rows = recipe.all_rows(right)
    readers = [i for i in range(len(rows)) if row + 1 in recipe.sources(rows, i)]
    for reader in readers if len(readers) > 1 else []:  # the others read the attention
        before = [row if source == row + 1 else source for source in recipe.sources(rows, reader)]
        f = recipe.written(before, reader, rows[reader][0])
        assert find(reading(right, **{f"row_{reader}": f})) == []


def test_one_number_that_is_left_is_found_and_never_mended_wrongly(stem, row):
    right = rightly(base(stem), row)
    for i, (f, *_) in enumerate(recipe.all_rows(base(stem))):
        reader = i + (i > row)
        now = recipe.all_rows(right)[reader][0]
        for at in range(len(f)) if isinstance(f, list) else ():
            left = reading(right, **{f"row_{reader}": [*now[:at], f[at], *now[at + 1 :]]})
            reads_before = recipe.sources(recipe.all_rows(left), reader)[at] == row == f[at]
            if f[at] == now[at] or reads_before:
                continue
            assert [finding.row for finding in find(left)] == [reader]
            mended, _ = fix(left)
            assert mended == right or (mended == left and said(left)[0].endswith("either makes sense"))


def test_several_rows_put_in_without_shifting(any_base):
    for seed in range(3):
        rows = random.Random(seed).sample(places(any_base), min(3, len(places(any_base))))
        assert_mended(put_in(base(any_base), *rows), rightly(base(any_base), *rows))


def test_the_head_passing_by_the_attention_before_it(any_base):
    right = recipe.insert_before_head(base(any_base), "ECA")
    last = len(recipe.all_rows(right)) - 1
    inputs = recipe.sources(recipe.all_rows(base(any_base)), len(recipe.all_rows(base(any_base))) - 1)
    forgotten = reading(right, **{f"row_{last}": inputs if len(inputs) > 1 else inputs[0]})
    if len(inputs) == 1:  # Classify: the row before is the attention, which it would read by -1
        right = reading(right, **{f"row_{last}": last - 1})
    assert_mended(forgotten, right)


def test_bases_give_no_alarm_with_attention_in_their_blocks_or_without_any(any_base):
    assert find(base(any_base)) == []
    inside = copy.deepcopy(base(any_base))
    for row in recipe.all_rows(inside):
        row[2] = f"{row[2]}_SE" if row[2] in ("C3", "C2f", "C3k2", "A2C2f", "RepNCSPELAN4") else row[2]
    assert find(inside) == []


# What is left, and what is not ----------------------------------------------------------------------------------------


def test_only_the_head_was_shifted():
    forgotten = reading(put_in(base("yolov8"), 4), row_23=[16, 19, 22])
    assert [finding.row for finding in find(forgotten)] == [12, 15, 18, 21]
    assert_mended(forgotten, rightly(base("yolov8"), 4))


def test_only_the_head_was_not_shifted():
    right = rightly(base("yolov5"), 9)
    assert said(reading(right, row_25=[17, 20, 23])) == [
        "row 25 Detect reads [17, 20, 23], as before attention was put in; it should probably read [18, 21, 24]"
    ]


@pytest.mark.parametrize(
    ("after", "f", "meant"),
    [
        (
            [18],
            [16, 19, 22],
            [15, 19, 22],
        ),  # 1 too much for P3: a convolution of stride 16 is read beside the block of P4
        ([4, 6], [16, 19, 22], [17, 20, 23]),  # as for one row of attention, where there are two
    ],
)
def test_numbers_shifted_by_too_much_or_too_little(after, f, meant):
    right = rightly(base("yolov8"), *after)
    last = len(recipe.all_rows(right)) - 1
    wrong = reading(right, **{f"row_{last}": f})
    assert said(wrong) == [
        f"row {last} Detect reads {f}, which is not shifted as it should be; it should probably read {meant}"
    ]
    assert_mended(wrong, right)


def test_a_further_row_put_in_where_attention_was_right():
    for first in (rightly(base("yolo11"), 6), recipe.insert_before_head(base("yolo11"), "ECA")):
        assert find(first) == []
        for row in (2, 8, 10, 13):
            assert_mended(put_in(first, row), rightly(first, row))


def test_the_number_of_an_attention_row_itself_was_left():
    right = rightly(recipe.insert_before_head(base("yolov8"), "SE"), 4)
    assert_mended(reading(right, row_23=15, row_24=18, row_25=21), right)


def test_attention_between_two_rows_that_reads_neither():
    """The row behind it says -1, as before, and reads P3 where it read the pooling."""
    right = rightly(base("yolov8"), 9)
    model = reading(right, row_10=4)
    assert "row 11 nn.Upsample reads -1, as before attention was put in; it should probably read -2" in said(model)


def test_a_number_that_makes_sense_either_way_is_said_and_left():
    """RT-DETR's stage of three equal blocks: the convolution behind it reads the second, and everything is read."""
    model = reading(rightly(base("rtdetr-l"), 2), row_15=7)
    line = "row 15 Conv reads 7, where its base's numbers would be 8; either makes sense"
    assert said(model) == [line]
    assert fix(model) == (model, [f"left as it is: {line}"])


@pytest.mark.parametrize(
    "rows",
    [
        [[-1, 1, "Conv", [8]], ["-1", 1, "CBAM", []]],
        [[-1, 1, "Conv", [8]], [-1, 1, "CBAM", []], [7, 1, "Conv", [8]]],
        [[-1, 1, "Conv", [8]], [-1, 1, "CBAM", []], [-9, 1, "Conv", [8]]],
        [[-1, 1, "Conv", [8]], [[], 1, "CBAM", []]],
        [[-1, 1, "CBAM", []], [True, 1, "Conv", [8]]],
        [[-1, 1, "CBAM"], "Conv", [1]],
        [[-1, 1, 7, []], [-1, 1, ["Conv"], []], [-1, 1, "CBAM", []]],
        [],
    ],
)
def test_what_are_no_rows_is_left_to_the_parser(rows):
    assert find({"backbone": rows, "head": []}) == []
