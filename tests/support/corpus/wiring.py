"""Files whose numbers were counted by hand: not shifted, rows that nobody reads; and right ones, which are let alone.

The numbers follow from YOLOv8's rows: SPPF is row 9, the Concats are 11, 14, 17 and 20, and the head, row 22, reads 15,
18 and 21.
"""

from tests.support.corpus.writing import CHANNELS, GAM, SE, Case, base, classic, dumped, put_in, reading, with_rows

V8 = base("v8/yolov8")
ROW = ["CBAM", []]
HEAD = {23: [16, 19, 22]}


def edited(model: dict, froms: dict) -> str:
    """Returns a base with CBAM behind its SPPF, rightly, and then what somebody typed."""
    return dumped(reading(with_rows(model, ROW, after=(9,)), froms))


def own(**keys) -> dict:
    """Returns YOLOv8 with other classes, widths and repeats, as somebody made it their own."""
    model = {**base("v8/yolov8"), "nc": 3, "scales": {"n": [0.33, 0.25, 512]}, **keys}
    model["backbone"][4][1] = 4
    model["head"][2][3] = [384]
    return model


def without(model: dict, row: int, replacement: list) -> dict:
    """Returns a base in which a row is another one."""
    model["backbone"][row] = replacement
    return model


WIRING = {
    # Put in and nothing shifted.
    "after SPPF": Case(dumped(put_in(V8, ROW, 9)), warned={18: [-1, 13], 21: [-1, 10], **HEAD}),
    "after SPPF, GAM with numbers": Case(
        dumped(put_in(V8, ["GAM_Attention", [1024, 1024]], 9)), read=(GAM,), warned={18: [-1, 13], 21: [-1, 10], **HEAD}
    ),
    "after P5": Case(dumped(put_in(V8, ROW, 8)), warned={18: [-1, 13], 21: [-1, 10], **HEAD}),
    "after P3 and P4": Case(
        dumped(put_in(V8, ROW, 4, 6)), warned={13: [-1, 8], 16: [-1, 5], 19: [-1, 14], 22: [-1, 11], 24: [17, 20, 23]}
    ),
    "after each stage, so that it cannot run": Case(
        dumped(put_in(V8, ROW, 2, 4, 6, 9)), "row 15 Concat cannot run on what it reads, [-1, 6]"
    ),
    "in the neck": Case(dumped(put_in(V8, ROW, 15, 18, 21)), warned={25: [16, 20, 24]}),
    "after the first row": Case(
        dumped(put_in(V8, ROW, 0)), warned={12: [-1, 7], 15: [-1, 5], 18: [-1, 13], 21: [-1, 10], **HEAD}
    ),
    "YOLOv5, classic": Case(
        classic(put=(ROW, 9)), name="yolov5s-mine.yaml", warned={20: [-1, 15], 23: [-1, 11], 25: [18, 21, 24]}
    ),
    "YOLO11": Case(
        dumped(put_in(base("11/yolo11"), ROW, 10)),
        name="yolo11n-a.yaml",
        warned={19: [-1, 14], 22: [-1, 11], 24: [17, 20, 23]},
    ),
    "YOLO26": Case(
        dumped(put_in(base("26/yolo26"), ROW, 10)),
        name="yolo26n-a.yaml",
        warned={19: [-1, 14], 22: [-1, 11], 24: [17, 20, 23]},
    ),
    "YOLOv10": Case(
        dumped(put_in(base("v10/yolov10n"), ROW, 10)),
        name="yolov10n-a.yaml",
        warned={19: [-1, 14], 22: [-1, 11], 24: [17, 20, 23]},
    ),
    "segmentation": Case(
        dumped(put_in(base("v8/yolov8-seg"), ROW, 9)),
        name="yolov8n-seg-a.yaml",
        warned={18: [-1, 13], 21: [-1, 10], **HEAD},
    ),
    "oriented boxes": Case(
        dumped(put_in(base("v8/yolov8-obb"), ROW, 9)),
        name="yolov8n-obb-a.yaml",
        warned={18: [-1, 13], 21: [-1, 10], **HEAD},
    ),
    "somebody's own": Case(dumped(put_in(own(), ROW, 9)), warned={18: [-1, 13], 21: [-1, 10], **HEAD}),
    # Some of it forgotten.
    "the head forgotten": Case(edited(V8, {23: [15, 18, 21]}), warned=HEAD),
    "a Concat forgotten": Case(edited(V8, {18: [-1, 12]}), warned={18: [-1, 13]}),
    "a Concat and the head forgotten": Case(
        edited(V8, {18: [-1, 12], 23: [15, 18, 21]}), warned={18: [-1, 13], **HEAD}
    ),
    "somebody's own, the head forgotten": Case(edited(own(), {23: [15, 18, 21]}), warned=HEAD),
    "one level twice": Case(edited(V8, {23: [16, 16, 22]}), warned={23: None}),
    # Attention that nobody reads.
    "a row before the head": Case(dumped(put_in(V8, ROW, 21)), warned={22: [15, 18, 22]}),
    "a row for each input, none read": Case(
        dumped(reading(put_in(V8, ROW, 21, 21, 21), {22: 15, 23: 18, 24: 21})),
        warned={22: [22, 23, 24], 23: [22, 23, 24], 24: [22, 23, 24]},
    ),
    "a row of the base is read by nobody": Case(edited(V8, {23: [16, 19]}), warned={22: None}),
    # Right.
    "right, after each stage": Case(dumped(with_rows(V8, *CHANNELS))),
    "right, a row for each input": Case(
        dumped(reading(put_in(V8, ROW, 21, 21, 21), {22: 15, 23: 18, 24: 21, 25: [22, 23, 24]}))
    ),
    "right, somebody's own": Case(edited(own(), {})),
    "right, SPPF is read before its attention by a Concat": Case(edited(V8, {21: [-1, 9]})),
    "right, in place of a block": Case(dumped(without(base("v8/yolov8"), 4, [-1, 1, "SE", []])), read=(SE,)),
    "right, YOLOv5, classic": Case(classic(*CHANNELS), name="yolov5s-mine.yaml"),
    "right, four levels": Case(dumped(with_rows(base("v8/yolov8-p2"), ROW, after=(9, 18))), name="yolov8n-p2-a.yaml"),
}
