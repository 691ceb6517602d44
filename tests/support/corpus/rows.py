"""Rows of attention in people's own words, and blocks with attention in their names."""

from tests.support.corpus.writing import (
    ANCHORS,
    CBAM,
    CBAM8,
    CHANNELS,
    COORD,
    ECA3,
    ECA5,
    GAM,
    SE,
    Case,
    base,
    classic,
    dumped,
    v3,
    v8,
    v8_blocks,
    with_rows,
)  # fmt: skip

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

V5 = "yolov5s-mine.yaml"

ROWS = {
    # Classic files, as YOLOv5's and YOLOv3's own repositories have them.
    "v5, anchors": Case(classic(*CHANNELS), name=V5),
    "v5, GAM": Case(
        classic(["GAM_Attention", [256, 256]], ["GAM_Attention", [512, 512]], ["GAM", []]), name=V5, read=(GAM,)
    ),
    "v5, blocks": Case(classic(row4=[6, "C3_CBAM", [256]], row6=[9, "C3SE", [512]]), name=V5, read=(CBAM, SE)),
    "v5, segment": Case(classic(*CHANNELS, head=("Segment", ["nc", "anchors", 32, 256])), name=V5),
    "v5, boxes in the head": Case(classic(*CHANNELS, head=("Detect", ["nc", ANCHORS])), name=V5),
    "v5, a number of anchors": Case(
        classic(["SE", [256, 16]], ["SE", [512, 16]], ["SE", [1024, 16]], anchors=3), read=(SE,)
    ),
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
    "a ratio": Case(
        v8(["SEAttention", [256, 8]], ["SEAttention", [512, 8]], ["SEAttention", [1024, 8]]),
        read=("SE(reduction=8, bias=True)",),
    ),
    "a kernel": Case(v8(["eca_layer", [256, 3]], ["eca_layer", [512, 3]], ["eca_layer", [1024, 3]]), read=(ECA3,)),
    "in and out": Case(
        v8(["CoordAtt", [256, 256]], ["CoordAtt", [512, 512]], ["CoordAtt", [1024, 1024]]), read=(COORD,)
    ),
    "v11": Case(
        dumped(with_rows(base("11/yolo11"), ["CBAM", [512]], ["CBAM", [1024]], after=(6, 8))), name="yolo11n.yaml"
    ),
    # Rows in other words.
    "a row of three": Case(v8(["CBAM"])),
    "a number without brackets": Case(v8(["CBAM", 256], ["CBAM", 512], ["CBAM", 1024])),
    "numbers without brackets": Case(v8(["CBAM", 256, 8], ["CBAM", 512, 8], ["CBAM", 1024, 8]), read=(CBAM8,)),
    "braces without brackets": Case(v8(["CBAM", {"reduction": 8}]), read=(CBAM8,)),
    "None": Case(v8(["CBAM", [None]])),
    "a list of one": Case(v8(["CBAM", []], f=[-1])),
    "nn.": Case(v8(["nn.CBAM", []])),
    "gamma and b": Case(v8(["ECA", [256, 2, 1]], ["ECA", [512, 2, 1]], ["ECA", [1024, 2, 1]]), read=(ECA3, ECA5)),
    "b and gamma": Case(
        v8(["ECAAttention", [256, 1, 2]], ["ECAAttention", [512, 1, 2]], ["ECAAttention", [1024, 1, 2]]),
        read=(ECA3, ECA5),
    ),
    "other gamma": Case(v8(["ECA", [256, 3, 1]], after=(4,)), "do not fit ECA"),
    "no_spatial, False": Case(
        v8(["TripletAttention", [False]]), read=("TripletAttention(kernel_size=7, spatial=True)",)
    ),
    "no_spatial, True": Case(
        v8(["TripletAttention", [True]]), read=("TripletAttention(kernel_size=7, spatial=False)",)
    ),
    "no_spatial, 2": Case(v8(["TripletAttention", [2]]), "do not fit TripletAttention"),
    "YAML's & and *": Case(
        HAND, read=(CBAM8, *(f"{one[:-1]}, start=identity)" for one in (ECA3, ECA5, CBAM))), warned={9: None}
    ),  # its head reads two maps of one level
    # Blocks.
    "C3CBAM": Case(v8_blocks("C3CBAM")),
    "C2f_CBAM": Case(v8_blocks("C2f_CBAM", True)),
    "C2f_ECA without brackets": Case(
        v8_blocks("C2f_ECA").replace("C2f_ECA, [512]", "C2f_ECA, 512").replace("C2f_ECA, [256]", "C2f_ECA, 256"),
        read=(ECA3, ECA5),
    ),
    "C3_SE_Attention": Case(v8_blocks("C3_SE_Attention"), read=(SE,)),
    "CBAMBottleneck": Case(v8_blocks("CBAMBottleneck")),
    "Conv_CBAM": Case(v8_blocks("Conv_CBAM", 3, 1)),
    "groups": Case(v8_blocks("C2f_CBAM", True, True), "g is a whole number, got True"),
    "too many": Case(v8_blocks("C3_CBAM", True, 1, 0.5, 16, 7), "C3 takes c2, shortcut, g, e"),
    "CBAMC3": Case(v8_blocks("CBAMC3"), "write C3 and put CBAM behind it"),
    "ResBlock_CBAM": Case(v8_blocks("ResBlock_CBAM"), "nearest is Bottleneck_CBAM"),
    "SPPF_CBAM": Case(v8_blocks("SPPF_CBAM", 5), "write SPPF and put CBAM behind it"),
    "C2PSA_ECA": Case(v8_blocks("C2PSA_ECA"), read=(ECA3, ECA5)),
    "C2fCIB_SE": Case(v8_blocks("C2fCIB_SE", True), read=(SE,)),
    # Options that say nothing.
    ".nan": Case(v8(["EncNet", [{"loss_weight": float("nan")}]]), "'loss_weight' of EncNet must be a number, got nan"),
    ".inf": Case(v8(["EncNet", [{"loss_weight": float("inf")}]]), "'loss_weight' of EncNet must be a number, got inf"),
    "start without a word": Case(v8(["CBAM", [{"start": None}]]), "must be identity or paper, got None"),
    "an option without a value": Case(v8(["CBAM", [{"reduction": None}]]), "must be a whole number, got None"),
}
