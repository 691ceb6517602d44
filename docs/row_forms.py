"""Rows as people write them, and what each is read as at every scale: the table of docs/rows.md, held to by tests.

Each row stands behind one that gives 256 channels before width scaling, in a file with the five scales of YOLOv8.
"""

from typing import NamedTuple

from docs.tables import markdown

WRITTEN = 256
SCALES = {
    "n": [0.33, 0.25, 1024],
    "s": [0.33, 0.50, 1024],
    "m": [0.67, 0.75, 768],
    "l": [1.00, 1.00, 512],
    "x": [1.00, 1.25, 512],
}
ARRIVING = {"n": 64, "s": 128, "m": 192, "l": 256, "x": 320}
ALL = "".join(SCALES)


class Form(NamedTuple):
    """A row and what it is read as.

    Attributes:
        row: The row as it stands in a YAML file.
        means: The options it sets, by the scales at which it sets them; empty where it is refused.
        refused: What the error says, at every scale; empty where the row is read.
    """

    row: str
    means: dict[str, str]
    refused: str = ""


FORMS = [
    # Nothing, and options by name: the forms to write.
    Form("[-1, 1, CBAM, []]", {ALL: "reduction=16, kernel_size=7"}),
    Form("[-1, 1, CBAM, [{reduction: 8}]]", {ALL: "reduction=8, kernel_size=7"}),
    Form("[-1, 1, CBAM, [{start: identity}]]", {ALL: "reduction=16, kernel_size=7, start=identity"}),
    Form("[-1, 1, ECA, []]", {"n": "kernel_size=3", "smlx": "kernel_size=5"}),
    # What stands for nothing, and for the brackets.
    Form("[-1, 1, CBAM]", {ALL: "reduction=16, kernel_size=7"}),
    Form("[-1, 1, CBAM, [None]]", {ALL: "reduction=16, kernel_size=7"}),
    Form("[-1, 1, CBAM, 256]", {ALL: "reduction=16, kernel_size=7"}),
    Form("[-1, 1, CBAM, 256, 8]", {ALL: "reduction=8, kernel_size=7"}),
    Form("[-1, 1, CBAM, {reduction: 8}]", {ALL: "reduction=8, kernel_size=7"}),
    Form("[[-1], 1, CBAM, []]", {ALL: "reduction=16, kernel_size=7"}),
    Form("[-1, 1, nn.CBAM, []]", {ALL: "reduction=16, kernel_size=7"}),
    # Channels, as before width scaling or as they arrive at one of the scales.
    Form("[-1, 1, CBAM, [256]]", {ALL: "reduction=16, kernel_size=7"}),
    Form("[-1, 1, CBAM, [128]]", {ALL: "reduction=16, kernel_size=7"}),
    Form(
        "[-1, 1, GAM_Attention, [256, 256]]",
        {ALL: "reduction=4, groups=1, channel_sigmoid=True, rank=0, depthwise=False"},
    ),
    Form(
        "[-1, 1, CBAM, [64]]",
        {},
        "[{reduction: 16}] at scale n and [{reduction: 64}] at scales s, m, l, x; "
        "write [{reduction: 16}] or [{reduction: 64}]",
    ),
    Form("[-1, 1, CBAM, [512]]", {}, "do not fit CBAM"),
    # A ratio or a kernel, with channels or alone.
    Form("[-1, 1, SEAttention, [256, 8]]", {ALL: "reduction=8, bias=True"}),
    Form("[-1, 1, CBAM, [32]]", {ALL: "reduction=32, kernel_size=7"}),
    Form("[-1, 1, CBAM, [256, 3]]", {ALL: "reduction=16, kernel_size=3"}),
    Form("[-1, 1, CBAM, [256, 256, 8, 5]]", {ALL: "reduction=8, kernel_size=5"}),
    Form("[-1, 1, eca_layer, [256, 3]]", {ALL: "kernel_size=3"}),
    Form("[-1, 1, SE, [64, 16]]", {ALL: "reduction=16, bias=True"}),
    # What operators' code in circulation takes that is no option here.
    Form("[-1, 1, ECA, [256, 2, 1]]", {"n": "kernel_size=3", "smlx": "kernel_size=5"}),
    Form("[-1, 1, ECA, [256, 3, 1]]", {}, "do not fit ECA"),
    Form("[-1, 1, TripletAttention, [False]]", {ALL: "kernel_size=7, spatial=True"}),
    Form("[-1, 1, TripletAttention, [True]]", {ALL: "kernel_size=7, spatial=False"}),
    Form("[-1, 1, TripletAttention, [256, True]]", {ALL: "kernel_size=7, spatial=False"}),
    Form("[-1, 1, TripletAttention, [2]]", {}, "do not fit TripletAttention"),
    Form("[-1, 1, EMA_attention, [256, 8]]", {ALL: "groups=8"}),
    Form("[-1, 1, SimAM, [1e-4]]", {ALL: "e_lambda=0.0001"}),
    Form("[-1, 1, simam_module, [256, 0.0001]]", {ALL: "e_lambda=0.0001"}),
    Form("[-1, 1, ShuffleAttention, [256, 16, 8]]", {ALL: "groups=8"}),
    Form("[-1, 1, NAMAttention, [256, 16]]", {ALL: ""}),
    Form("[-1, 1, LSKA, [256, 11]]", {ALL: "kernel_size=11"}),
    Form("[-1, 1, LSKA, [53]]", {ALL: "kernel_size=53"}),
    Form(
        "[-1, 1, MLCA, [256, 5]]",
        {"n": "local_size=5, kernel_size=3, local_weight=0.5", "smlx": "local_size=5, kernel_size=5, local_weight=0.5"},
    ),
    Form("[-1, 1, ELA, [256, 7]]", {ALL: "kernel_size=7, norm_groups=16, width=1"}),
    Form("[-1, 1, SKAttention, [256]]", {ALL: "branches=2, groups=32, reduction=16, hidden=32"}),
    # Blocks: what is put into them is inside, before a residual sum, or behind a Conv.
    Form("[-1, 3, C3_CBAM, [256]]", {ALL: "C3, CBAM in its bottlenecks"}),
    Form("[-1, 3, C3_SE_Attention, [256]]", {ALL: "C3, SE in its bottlenecks"}),
    Form("[-1, 3, C2f_CBAM, [256, True, {reduction: 8}]]", {ALL: "C2f, CBAM in its bottlenecks"}),
    Form("[-1, 1, CBAMBottleneck, [256]]", {ALL: "Bottleneck, CBAM before its sum"}),
    Form("[-1, 1, Conv_CBAM, [256, 3, 2]]", {ALL: "Conv, CBAM behind it"}),
    Form("[-1, 1, C2PSA_ECA, [256]]", {ALL: "C2PSA, ECA before its blocks' sums"}),
    Form("[-1, 3, C2fCIB_SE, [256, True]]", {ALL: "C2fCIB, SE before its blocks' sums"}),
    Form("[-1, 3, C2f_CBAM, [256, True, True]]", {}, "g is a whole number, got True"),
    Form("[-1, 3, C3_CBAM, [256, 16]]", {}, "shortcut is true or false, got 16"),
    Form("[-1, 3, CBAMC3, [256]]", {}, "write C3 and put CBAM behind it"),
    Form("[-1, 1, ResBlock_CBAM, [256]]", {}, "nearest is Bottleneck_CBAM"),
    Form("[-1, 1, SPPF_CBAM, [256, 5]]", {}, "write SPPF and put CBAM behind it"),
]


def table() -> str:
    """Returns the table of docs/rows.md."""
    rows = []
    for form in FORMS:
        for scales, means in form.means.items() or [(ALL, f"refused: {form.refused}")]:
            at = "every scale" if scales == ALL else ", ".join(scales)
            rows.append((f"`{form.row}`", means.replace("{", "`{").replace("}", "}`") if form.refused else means, at))
    return markdown(("row", "is read as", "at"), rows)
