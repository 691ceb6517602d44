"""The table of published counts, rendered again, and what each operator costs by its formula.

A multiply-accumulate is one product of a convolution, linear layer or matrix product; those are counted exactly. The
formulas of the papers also count the passes over the map, one for each element that is pooled or multiplied by a gate;
what is smaller than the map (a sigmoid, a norm of the pooled values) they leave out, so there a tolerance stands.
"""

import math

import pytest

pytest.importorskip("torchvision")
pytest.importorskip("torch.utils.flop_counter")

from benchmarks.cpu.paper_tables import FILE, NETWORKS, count, lines, render
from yolo_attn import registry


def test_the_committed_table_is_what_is_counted():
    assert FILE.read_text(encoding="utf-8") == render(), "run python -m benchmarks.cpu.paper_tables"


@pytest.mark.parametrize(("title", "build", "rows"), NETWORKS, ids=[title for title, _, _ in NETWORKS])
def test_published_figures_have_a_source_and_disagreements_a_reason(title, build, rows):
    assert all(bool(row.source) == bool(row.parameters or row.macs) for row in rows)
    for line in lines(build, rows):
        row = line.row
        assert line.parameters_agree or not row.parameters or row.why
        assert line.macs_agree or not row.macs or row.why


# For C channels on an H × W map: parameters, products, and elements pooled or multiplied, N = H · W.
# c is the hidden width. The papers' form where ours does the same with other steps stands behind "paper:".
def gam(C, H, W, c, g):
    N = H * W
    return 2 * C * c + 98 * C * c // g + 4 * (c + C), N * (2 * C * c + 98 * C * c // g), 2 * N * C


def cbam(C, H, W, c, k):
    N = H * W
    return 2 * C * c + c + C + 2 * k * k + 2, 4 * C * c + 2 * k * k * N, 6 * N * C


def eca(C, H, W, k):
    return k, k * C, 2 * H * W * C


def coordatt(C, H, W, m):
    return C * m + 3 * m + 2 * (m * C + C), 2 * (H + W) * C * m, 4 * H * W * C


def se(C, H, W, c, bias):
    return 2 * C * c + bias * (c + C), 2 * C * c, 2 * H * W * C


def bam(C, H, W, c):
    channel, spatial = 2 * C * c + 3 * c + C, C * c + c + 2 * (9 * c * c + c) + 6 * c + c + 1
    return channel + spatial, 2 * C * c + H * W * (C * c + 18 * c * c + c), 2 * H * W * C


def triplet(C, H, W, k, planes):
    sides = C * W + C * H + (H * W if planes == 3 else 0)
    # paper: 3 · planes, as it multiplies the map by every gate. Ours multiplies once, by their mean.
    return planes * (2 * k * k + 2), 2 * k * k * sides, (2 * planes + 1) * H * W * C


def gsop(C, H, W, d):
    N = H * W
    return C * d + 9 * d + 4 * d * d + 4 * d * C + C, N * C * d + N * d * d + 4 * d * d + 4 * d * C, N * C


def srm(C, H, W):
    return 4 * C, 0, 3 * H * W * C


def gct(C, H, W):
    return 3 * C, 0, 2 * H * W * C


def fca(C, H, W, c, S):
    # paper: S · S · C products on the map pooled by N · C additions. Ours makes one matrix of pooling and transform,
    # and its cosines anew in every call.
    return 2 * C * c, 2 * C * c + H * W * C + H * C + S * C * (H + W), H * W * C + 6 * S * C


def encnet(C, H, W, K):
    N = H * W
    return 2 * C * C + 3 * C + K * C + 3 * K, N * C * C + 2 * N * K * C + C * C, 2 * N * C


def biattention(C, H, W, m):
    N, M = H * W, m * (m + 1) // 2
    return C * m + 3 * m + 2 * (M * C + 3 * C), N * (C * m + M * C) + M * C, N * (M + 2 * C)


def nonlocal_(C, H, W, c):
    # paper: 2 N C² + N² C with c = C / 2 and keys of every pixel, P = N. Its code pools the keys, as ours does.
    N, P = H * W, math.ceil(H / 2) * math.ceil(W / 2)
    return 4 * C * c + 3 * c + 3 * C, 2 * N * C * c + 2 * P * C * c + 2 * N * P * c, N * C


def ema(C, H, W, w):
    # w is the width of a group. Its strips, its 3×3, and a convolution with ones for the weighed sums over a group.
    N = H * W
    return 10 * w * w + 4 * w, (H + W) * C * w + 10 * N * C * w, 8 * N * C


def sk(C, H, W, d, groups):
    N = H * W
    return (
        2 * (9 * C * C // groups + 2 * C) + C * d + 2 * d + 2 * (d * C + C),
        18 * N * C * C // groups + 3 * C * d,
        3 * N * C,
    )


def lska(C, H, W, near, far):
    N, taps = H * W, 2 * (near + far)
    return taps * C + 4 * C + C * C + C, N * C * taps + N * C * C, N * C


def mlca(C, H, W, k, S):
    N = H * W
    return 2 * k, C * (2 * S * N + S * S * (H + W) + k + k * S * S), N * C


def ela(C, H, W, k):
    N = H * W
    return k * C + 2 * C, k * C * (H + W), 4 * N * C


FORMULAS = [
    ("GAM", {}, lambda C, H, W: gam(C, H, W, C // 4, 1)),
    ("GAM", {"reduction": 8, "groups": 2}, lambda C, H, W: gam(C, H, W, C // 8, 2)),
    ("CBAM", {}, lambda C, H, W: cbam(C, H, W, C // 16, 7)),
    ("CBAM", {"reduction": 8, "kernel_size": 3}, lambda C, H, W: cbam(C, H, W, C // 8, 3)),
    ("ECA", {}, lambda C, H, W: eca(C, H, W, 3 if C < 128 else 5)),
    ("CoordAtt", {}, lambda C, H, W: coordatt(C, H, W, max(8, C // 32))),
    ("SE", {}, lambda C, H, W: se(C, H, W, C // 16, True)),
    ("SE", {"bias": False}, lambda C, H, W: se(C, H, W, C // 16, False)),
    ("BAM", {}, lambda C, H, W: bam(C, H, W, C // 16)),
    ("TripletAttention", {}, lambda C, H, W: triplet(C, H, W, 7, 3)),
    ("TripletAttention", {"kernel_size": 3, "spatial": False}, lambda C, H, W: triplet(C, H, W, 3, 2)),
    ("GSoP", {}, lambda C, H, W: gsop(C, H, W, min(C, 128))),
    ("SRM", {}, srm),
    ("GCT", {}, gct),
    ("FcaNet", {}, lambda C, H, W: fca(C, H, W, C // 16, 7)),
    ("EncNet", {}, lambda C, H, W: encnet(C, H, W, 32)),
    ("BiAttention", {}, lambda C, H, W: biattention(C, H, W, C // 16)),
    ("NonLocal", {}, lambda C, H, W: nonlocal_(C, H, W, C // 2)),
    ("EMA", {}, lambda C, H, W: ema(C, H, W, C // 32)),
    ("SimAM", {}, lambda C, H, W: (0, 0, 5 * C * H * W)),
    ("ShuffleAttention", {}, lambda C, H, W: (6 * C // 16, 0, 4 * C * H * W)),
    ("NAM", {}, lambda C, H, W: (2 * C, 0, 2 * C * H * W)),
    ("SK", {}, lambda C, H, W: sk(C, H, W, max(C // 16, 32), 32)),
    ("LSKA", {}, lambda C, H, W: lska(C, H, W, 3, 3)),
    ("LSKA", {"kernel_size": 23}, lambda C, H, W: lska(C, H, W, 5, 7)),
    ("MLCA", {}, lambda C, H, W: mlca(C, H, W, 3 if C < 128 else 5, 5)),
    ("ELA", {}, lambda C, H, W: ela(C, H, W, 7)),
]
IDS = [name + "".join(f"-{key}={value}" for key, value in options.items()) for name, options, _ in FORMULAS]


@pytest.mark.parametrize(("channels", "height", "width"), [(64, 20, 24), (256, 20, 20), (512, 13, 21)])
@pytest.mark.parametrize(("name", "options", "formula"), FORMULAS, ids=IDS)
def test_costs_follow_the_formulas(name, options, formula, channels, height, width):
    counted = count(registry.get(name).cls(channels, **options), 1, channels, height, width)
    parameters, products, passes = formula(channels, height, width)
    assert counted.parameters == parameters
    assert counted.products == products
    assert counted.products + counted.passes == pytest.approx(products + passes, rel=0.03)


def test_every_operator_has_a_formula():
    assert {name for name, _, _ in FORMULAS} == set(registry.names())
