"""Model files as people write them: classic and new bases with attention put in by hand, and files with a fault.

Each is the text of a YAML file, made of a base that Ultralytics ships, with whether it is built or what the one line
says that refuses it.
"""

import copy
from collections.abc import Callable
from typing import Any, NamedTuple

import yaml
from ultralytics.utils import ROOT, YAML

from yolo_attn.surgery import recipe

ANCHORS = [[10, 13, 16, 30, 33, 23], [30, 61, 62, 45, 59, 119], [116, 90, 156, 198, 373, 326]]


class Case(NamedTuple):
    """A file.

    Attributes:
        text: What stands in it.
        refused: A part of the line that refuses it; empty where it is built.
        name: Its name, which says the scale.
    """

    text: str
    refused: str = ""
    name: str = "yolov8n-mine.yaml"


def base(family: str) -> dict[str, Any]:
    """Returns the model dict of a base, `v8/yolov8`."""
    return YAML.load(ROOT / "cfg" / "models" / f"{family}.yaml")


def dumped(model: dict[str, Any]) -> str:
    lines = [f"{key}: {flow(value)}" for key, value in model.items() if key not in ("backbone", "head")]
    for part in ("backbone", "head"):
        if part in model:
            lines += [f"{part}:", *(f"  - {flow(row)}" for row in model[part])]
    return "\n".join(lines) + "\n"


def flow(value: object) -> str:
    return yaml.safe_dump(value, default_flow_style=True, width=10000, sort_keys=False).removesuffix("...\n").strip()


def with_rows(model: dict[str, Any], *rows: list, after: tuple[int, ...] = (4, 6, 8), f: Any = -1) -> dict[str, Any]:
    """Returns a base with a row behind each of `after`, every number shifted as it should be.

    Args:
        model: The base.
        rows: What stands behind `from` and 1 in each row: `["CBAM", [256]]`; the last is used for the rest.
        after: The base's rows.
        f: What each reads.
    """
    for k, row in reversed(list(enumerate(after))):
        model = recipe.insert_after(model, row, "CBAM")
        recipe.all_rows(model)[row + 1][:] = copy.deepcopy([f, 1, *rows[min(k, len(rows) - 1)]])
    return model


def v8(*rows: list, **keys: Any) -> str:
    return dumped(with_rows(base("v8/yolov8"), *rows, **keys))


def v8_blocks(name: str, *args: Any) -> str:
    """Returns YOLOv8 with the C2f of its stages written as another block."""
    model = base("v8/yolov8")
    for i in (4, 6, 8):
        model["backbone"][i][2:] = [name, [model["backbone"][i][3][0], *args]]
    return dumped(model)


def classic(*rows: list, head: Any = ("Detect", ["nc", "anchors"]), anchors: Any = ANCHORS, **changes: Any) -> str:
    """Returns a YOLOv5 file as YOLOv5's own repository has it, with rows behind its stages."""
    model = base("v5/yolov5")
    del model["scales"]
    model["head"][-1][2:] = copy.deepcopy(list(head))
    model = with_rows(model, *rows) if rows else model
    model = {"nc": 80, "depth_multiple": 0.33, "width_multiple": 0.5, "anchors": anchors, **model}
    for i, row in changes.items():
        recipe.all_rows(model)[int(i.removeprefix("row"))][1:] = row
    return dumped(model)


def faulty(change: Callable[[dict], Any] = lambda model: None, **keys: Any) -> str:
    """Returns YOLOv8 with CBAM and what `change` does to it; `keys` are written, or left out where they are `...`."""
    model = {**with_rows(base("v8/yolov8"), ["CBAM", []]), **keys}
    change(model)
    return dumped({key: value for key, value in model.items() if value is not ...})


def fault_in(row: int, column: int, value: Any) -> str:
    """Returns YOLOv8 with CBAM in rows 5, 8 and 11, and `value` in one place of a row."""
    return faulty(lambda model: recipe.all_rows(model)[row].__setitem__(column, value))


def v3() -> str:
    model = base("v3/yolov3")
    model["head"][-1][3] = ["nc", "anchors"]
    return dumped({**with_rows(model, *CHANNELS, after=(6, 8)), "anchors": ANCHORS})


HAND = """nc: 80
scales:
  n: [0.33, 0.25, 1024]
backbone:
  - [-1, 1, Conv, [64, 3, 2]]
  - [-1, 1, Conv, [128, 3, 2]]
  - &block [-1, 3, C2f_CBAM, [128, True, {reduction: 8}]]
  - *block
  - [-1, 1, Conv, [256, 3, 2]]
  - &attention [-1, 1, ECA, [&start {start: identity}]]
  - [-1, 1, Conv, [512, 3, 2]]
  - *attention
  - [-1, 1, CBAM, [*start]]
head:
  - [[5, 7, 8], 1, Detect, [nc]]
"""

CHANNELS = (["CBAM", [256]], ["CBAM", [512]], ["CBAM", [1024]])
V5 = "yolov5s-mine.yaml"

CORPUS = {
    # Classic files, as YOLOv5's and YOLOv3's own repositories have them.
    "v5, anchors": Case(classic(*CHANNELS), name=V5),
    "v5, GAM": Case(classic(["GAM_Attention", [256, 256]], ["GAM_Attention", [512, 512]], ["GAM", []]), name=V5),
    "v5, blocks": Case(classic(row4=[6, "C3_CBAM", [256]], row6=[9, "C3SE", [512]]), name=V5),
    "v5, segment": Case(classic(*CHANNELS, head=("Segment", ["nc", "anchors", 32, 256])), name=V5),
    "v5, boxes in the head": Case(classic(*CHANNELS, head=("Detect", ["nc", ANCHORS])), name=V5),
    "v5, a number of anchors": Case(classic(["SE", [256, 16]], ["SE", [512, 16]], ["SE", [1024, 16]], anchors=3)),
    "v5, Focus, BottleneckCSP, SPP": Case(
        classic(
            *CHANNELS,
            row0=[1, "Focus", [64, 3]],
            row2=[3, "BottleneckCSP", [128]],
            row12=[1, "SPP", [1024, [5, 9, 13]]],
            row16=[3, "BottleneckCSP", [512, False]],
            row14=[1, "nn.Upsample", ["None", 2, "nearest"]],
        ),
        name=V5,
    ),
    "v3, anchors": Case(v3(), name="yolov3-mine.yaml"),
    # Channels: before width scaling, as they arrive at scale n, where they are said to be found.
    "channels": Case(v8(*CHANNELS)),
    "channels of scale n": Case(v8(["CBAM", [64]], ["CBAM", [128]], ["CBAM", [256]]), "[{reduction: 64}]"),
    "channels of scale n, no ratio": Case(v8(["CBAM", [128]], ["CBAM", [256]], after=(6, 8))),
    "channels of scale n, built at s": Case(v8(["CBAM", [128]], ["CBAM", [256]], after=(6, 8)), name="yolov8s-a.yaml"),
    "channels of nothing": Case(v8(["CBAM", [384]]), "do not fit CBAM"),
    "a ratio": Case(v8(["SEAttention", [256, 8]], ["SEAttention", [512, 8]], ["SEAttention", [1024, 8]])),
    "a kernel": Case(v8(["eca_layer", [256, 3]], ["eca_layer", [512, 3]], ["eca_layer", [1024, 3]])),
    "in and out": Case(v8(["CoordAtt", [256, 256]], ["CoordAtt", [512, 512]], ["CoordAtt", [1024, 1024]])),
    "v11": Case(
        dumped(with_rows(base("11/yolo11"), ["CBAM", [512]], ["CBAM", [1024]], after=(6, 8))), name="yolo11n.yaml"
    ),
    # Rows in other words.
    "a row of three": Case(v8(["CBAM"])),
    "a number without brackets": Case(v8(["CBAM", 256], ["CBAM", 512], ["CBAM", 1024])),
    "numbers without brackets": Case(v8(["CBAM", 256, 8], ["CBAM", 512, 8], ["CBAM", 1024, 8])),
    "braces without brackets": Case(v8(["CBAM", {"reduction": 8}])),
    "None": Case(v8(["CBAM", [None]])),
    "a list of one": Case(v8(["CBAM", []], f=[-1])),
    "nn.": Case(v8(["nn.CBAM", []])),
    "gamma and b": Case(v8(["ECA", [256, 2, 1]], ["ECA", [512, 2, 1]], ["ECA", [1024, 2, 1]])),
    "b and gamma": Case(
        v8(["ECAAttention", [256, 1, 2]], ["ECAAttention", [512, 1, 2]], ["ECAAttention", [1024, 1, 2]])
    ),
    "other gamma": Case(v8(["ECA", [256, 3, 1]], after=(4,)), "do not fit ECA"),
    "no_spatial, False": Case(v8(["TripletAttention", [False]])),
    "no_spatial, True": Case(v8(["TripletAttention", [True]])),
    "no_spatial, 2": Case(v8(["TripletAttention", [2]]), "do not fit TripletAttention"),
    "YAML's & and *": Case(HAND),
    # Blocks.
    "C3CBAM": Case(v8_blocks("C3CBAM")),
    "C2f_CBAM": Case(v8_blocks("C2f_CBAM", True)),
    "C2f_ECA without brackets": Case(
        v8_blocks("C2f_ECA").replace("C2f_ECA, [512]", "C2f_ECA, 512").replace("C2f_ECA, [256]", "C2f_ECA, 256")
    ),
    "C3_SE_Attention": Case(v8_blocks("C3_SE_Attention")),
    "CBAMBottleneck": Case(v8_blocks("CBAMBottleneck")),
    "Conv_CBAM": Case(v8_blocks("Conv_CBAM", 3, 1)),
    "groups": Case(v8_blocks("C2f_CBAM", True, True), "g is a whole number, got True"),
    "too many": Case(v8_blocks("C3_CBAM", True, 1, 0.5, 16, 7), "C3 takes c2, shortcut, g, e"),
    "CBAMC3": Case(v8_blocks("CBAMC3"), "write C3 and put CBAM behind it"),
    "ResBlock_CBAM": Case(v8_blocks("ResBlock_CBAM"), "nearest is Bottleneck_CBAM"),
    "SPPF_CBAM": Case(v8_blocks("SPPF_CBAM", 5), "write SPPF and put CBAM behind it"),
    "C2PSA_ECA": Case(v8_blocks("C2PSA_ECA"), "write C2PSA and put ECA behind it"),
    "C2fCIB_SE": Case(v8_blocks("C2fCIB_SE", True), "write C2fCIB and put SE behind it"),
    # Faults, each of which stock Ultralytics answers with a traceback.
    "nc a word": Case(faulty(nc="eighty"), "nc, the number of classes, must be a whole number from 1 on, got 'eighty'"),
    "no nc": Case(faulty(nc=...), "nc, the number of classes, must be a whole number from 1 on, got None"),
    "nc 0": Case(faulty(nc=0), "must be a whole number from 1 on, got 0"),
    "scales of two": Case(faulty(scales={"n": [0.33, 0.25]}), "scale n must be three numbers"),
    "scales a list": Case(faulty(scales=[0.33, 0.25, 1024]), "scales must be letters"),
    "scales of words": Case(faulty(scales={"n": [0.33, "a", 1024]}), "scale n must be three numbers"),
    "another scale": Case(faulty(scales={"s": [0.33, 0.5, 1024]}), "it has no scale 'n'"),
    "a width of 0": Case(faulty(scales=None, width_multiple=0), "width_multiple must be a number above 0"),
    "no head": Case(faulty(head=...), "has no head"),
    "no backbone": Case(faulty(lambda model: model.update(head=model["backbone"], backbone=...)), "has no backbone"),
    "an empty backbone": Case(
        faulty(lambda model: model.update(head=model["backbone"], backbone=[])), "has no backbone"
    ),
    "a row that is none": Case(faulty(lambda model: model["head"].insert(0, "CBAM")), "row 13 CBAM: a row is [from,"),
    "a short row": Case(faulty(lambda model: model["backbone"][3].pop()), "row 3 [-1, 1, Conv]: a row is [from,"),
    "a module that is a number": Case(fault_in(3, 2, 7), "a module is a name, got 7"),
    "a module that is None": Case(fault_in(3, 2, None), "a module is a name, got None"),
    "a module that torch has not": Case(fault_in(3, 2, "nn.Convolution"), "row 3 [-1, 1, nn.Convolution, "),
    "from beyond": Case(fault_in(3, 0, 9), "input 9 is no earlier row"),
    "from beyond, counted back": Case(fault_in(14, 0, [-1, -99]), "input -99 is no earlier row"),
    "from a word": Case(fault_in(3, 0, "last"), "from must be -1, a row's number"),
    "from true": Case(fault_in(5, 0, True), "from must be -1, a row's number"),
    "from two": Case(fault_in(5, 0, [-1, 3]), "CBAM takes one input, not a list"),
    "from none": Case(fault_in(25, 0, []), "from must be -1, a row's number"),
    "repeats a word": Case(fault_in(4, 1, "six"), "repeats must be a whole number"),
    "repeats -1": Case(fault_in(4, 1, -1), "repeats must be a whole number"),
    "repeats 0": Case(fault_in(5, 1, 0), "repeats must be a whole number"),
    "arguments of stock rows": Case(fault_in(3, 3, ["wide"]), "row 3 [-1, 1, Conv, [wide]]: ultralytics "),
    "a stock row without brackets": Case(fault_in(3, 3, 256), "write [256]"),
    "a Concat of one": Case(fault_in(14, 0, -1), "row 14 [-1, 1, Concat, [1]]: "),
    "a Concat of two sizes": Case(fault_in(14, 0, [-1, 3]), "row 14 Concat cannot run on what it reads, [-1, 3]"),
    "an activation that is none": Case(faulty(activation="nn.Swoosh()"), "ultralytics cannot build it"),
    # Options that say nothing.
    ".nan": Case(v8(["EncNet", [{"loss_weight": float("nan")}]]), "'loss_weight' of EncNet must be a number, got nan"),
    ".inf": Case(v8(["EncNet", [{"loss_weight": float("inf")}]]), "'loss_weight' of EncNet must be a number, got inf"),
    "start without a word": Case(v8(["CBAM", [{"start": None}]]), "must be identity or paper, got None"),
    "an option without a value": Case(v8(["CBAM", [{"reduction": None}]]), "must be a whole number, got None"),
}
