"""Rows that nobody reads: attention is read by whoever read the row before it, anything else is said and left."""

from tests.support.wiring import assert_mended, base, find, fix, reading, rightly, said
from yolo_attn.surgery import recipe


def test_attention_behind_the_last_block():
    right = rightly(base("yolov8"), 21)
    forgotten = reading(right, row_23=[15, 18, 21])
    assert said(forgotten) == ["row 22 CBAM is read by nobody; row 23 Detect should probably read [15, 18, 22]"]
    assert fix(forgotten) == (right, ["row 23 Detect reads [15, 18, 22] instead of [15, 18, 21]"])


def test_attention_before_every_input_of_the_head():
    right = recipe.insert_before_head(base("yolo26"), "ECA")
    forgotten = reading(right, row_26=[16, 19, 22])
    assert said(forgotten) == [
        f"row {row} ECA is read by nobody; row 26 Detect should probably read [23, 24, 25]" for row in (23, 24, 25)
    ]
    assert_mended(forgotten, right)


def test_two_rows_of_attention_in_line():
    right = rightly(rightly(base("yolov8"), 21), 22)
    assert_mended(reading(right, row_24=[15, 18, 21]), right)


def test_two_rows_of_attention_side_by_side_are_left():
    model = reading(rightly(rightly(base("yolov8"), 21), 22), row_23=21, row_24=[15, 18, 21])
    lines = ["row 22 CBAM is read by nobody", "row 23 CBAM is read by nobody"]
    assert said(model) == lines
    assert fix(model) == (model, [f"left as it is: {line}" for line in lines])


def test_attention_whose_source_no_later_row_reads_is_left():
    model = reading(rightly(base("yolov8"), 21), row_22=17, row_23=[15, 18, 21])
    assert said(model) == ["row 22 CBAM is read by nobody"]


def test_a_row_of_the_base():
    model = reading(rightly(base("yolov8"), 4), row_23=[16, 19, 19])
    assert said(model) == [
        "row 22 C2f is read by nobody",
        "row 23 Detect reads maps of strides 8, 16, 16, not one of each level",
    ]
    assert fix(model)[0] == model


def test_what_reaches_the_head_beside_the_numbers_is_read():
    """YOLO-World's text: no row of the base reads it by number."""
    assert find(rightly(base("yolov8-world"), 4)) == []


def test_models_without_attention_are_not_looked_at():
    assert find(reading(base("yolov8"), row_22=[15, 18])) == []
