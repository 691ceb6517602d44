"""What the further operators claim: counts, finite numbers, bounds, names; and the options that they refuse."""

import pytest
import torch
from torch import nn

from tests.support.operators import assert_close, make
from yolo_attn import registry
from yolo_attn.errors import AttentionError
from yolo_attn.nn import ELA, EMA, LSKA, MLCA, NAM, SK, ShuffleAttention, SimAM
from yolo_attn.nn.bam import BAM
from yolo_attn.nn.biattention import BiAttention
from yolo_attn.nn.encnet import EncNet
from yolo_attn.nn.fca import RANKING, FcaNet
from yolo_attn.nn.gct import GCT
from yolo_attn.nn.gsop import GSoP
from yolo_attn.nn.nonlocal_ import NonLocal
from yolo_attn.nn.srm import SRM
from yolo_attn.nn.triplet import TripletAttention

every_operator = pytest.mark.parametrize("cls", [info.cls for info in registry.OPERATORS])


@pytest.mark.parametrize("c", [16, 48, 64, 256, 512])
def test_parameter_counts(c):
    h, d, k = c // 16, min(128, c), 32
    m = c // 16
    products = m * (m + 1) // 2
    counts = {
        BAM: 2 * c * h + 3 * h + c + c * h + h + 2 * (9 * h * h + h) + 6 * h + h + 1,
        TripletAttention: 3 * (2 * 7 * 7 + 2),
        GSoP: c * d + 9 * d + 4 * d * d + 4 * d * c + c,
        SRM: 4 * c,
        GCT: 3 * c,
        FcaNet: 2 * c * h,
        EncNet: 2 * c * c + 3 * c + k * c + 3 * k,
        BiAttention: c * m + 3 * m + 2 * (products * c + 3 * c),
        NonLocal: 2 * c * c + 4 * c + c // 2,
        SimAM: 0,
        NAM: 2 * c,
        ShuffleAttention: 3 * c // 8,
        EMA: 10 * (c // 16) ** 2 + 4 * (c // 16),
        SK: 2 * (9 * c * c // 16 + 2 * c) + c * max(h, 32) + 2 * max(h, 32) + 2 * (max(h, 32) * c + c),
        LSKA: 4 * (3 * c + c) + c * c + c,
        MLCA: 2 * (3 if c < 128 else 5),
        ELA: 7 * c + 2 * c,
    }
    groups = {EMA: {"groups": 16}, SK: {"groups": 16}}  # which divide every c here
    assert {cls: sum(p.numel() for p in cls(c, **groups.get(cls, {})).parameters()) for cls in counts} == counts


def test_parameter_counts_of_the_official_classes():
    counts = {BAM: 17361, TripletAttention: 300, SRM: 1024, GCT: 768, FcaNet: 8192}
    assert {cls: sum(p.numel() for p in cls(256).parameters()) for cls in counts} == counts


@every_operator
def test_matrices_are_convolutions(cls):
    """MuSGD orthogonalises what has 2 or 4 dimensions: that must be true matrices, never one number per channel."""
    module = cls(32)
    matrices = {id(p) for p in module.parameters() if p.ndim in (2, 4)}
    assert matrices <= {id(m.weight) for m in module.modules() if isinstance(m, nn.Conv2d)}


@pytest.mark.parametrize(("cls", "names"), [(SRM, ["cfc_bias_mean", "cfc_bias_std"]), (GCT, ["beta_bias"])])
def test_undecayed_parameters_are_named_for_it(cls, names):
    assert [n.rpartition(".")[2] for n, _ in cls(8).named_parameters() if "bias" in n and "norm" not in n] == names


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("cls", [GCT, NonLocal])
def test_starts_as_the_identity(cls, training):
    module, x = cls(16).train(training), torch.randn(2, 16, 7, 5)
    assert torch.equal(module(x), x)


def test_srm_of_one_pixel_is_finite():
    """Also in training with a batch of one, and backwards; its gate then follows mean and √1e-5 alone."""
    module = SRM(8)
    x = torch.randn(1, 8, 1, 1, requires_grad=True)
    module(x).sum().backward()
    assert all(t.grad.isfinite().all() for t in (x, *module.parameters()))
    assert torch.equal(SRM(8).gate(x), torch.full((1, 8, 1, 1), 0.5))


@pytest.mark.parametrize("cls", [info.cls for info in registry.OPERATORS if info.name != "LSKA"])  # it has no bound
@pytest.mark.parametrize("training", [False, True], ids=["eval", "train"])
def test_finite_in_fp16_where_squares_are_not(cls, training):
    module, x = cls(32).train(training), torch.randn(1, 32, 48, 48) * 300
    with torch.autocast("cpu", dtype=torch.float16):
        y = module(x.half())
    assert y.isfinite().all() and y.dtype == torch.float16


def test_fca_frequencies():
    """32 different frequencies of a 7×7 map; equal groups where they divide C, sizes that differ by one elsewhere."""
    assert len(set(RANKING)) == 32 and {u for pair in RANKING for u in pair} == set(range(7))
    for channels, groups in ((64, 16), (40, 16), (12, 5), (24, 16)):
        frequency = FcaNet(channels, groups, reduction=4).frequency.t().tolist()
        sizes = [frequency.count(list(pair)) for pair in RANKING[:groups]]
        assert sum(sizes) == channels and max(sizes) - min(sizes) == (1 if channels % groups else 0)


def test_fca_with_one_frequency_is_the_mean():
    module = make("FcaNet", {"frequencies": 1, "reduction": 2}, 8).double()
    x = torch.randn(2, 8, 21, 14, dtype=torch.float64)
    expected = module.mlp(7 * x.mean((2, 3), keepdim=True)).sigmoid()
    assert_close(module.gate(x), expected, "float64")


def test_biattention_only_weakens_by_half():
    gate = make("BiAttention", {}).double().train().gate(torch.randn(2, 32, 6, 6, dtype=torch.float64))
    assert gate.shape == (2, 32, 6, 6) and gate.min() >= 0.5 and gate.max() <= 1


def test_triplet_loads_the_authors_names():
    layers = ("conv.weight", "bn.weight", "bn.bias")
    names = [f"{plane}.conv.{layer}" for plane in ("cw", "hc", "hw") for layer in layers]
    assert [name for name, _ in TripletAttention(8).named_parameters()] == names


@pytest.mark.parametrize(
    ("cls", "options", "mend"),
    [
        (BAM, {}, "{reduction: 2}"),
        (BAM, {"reduction": 2, "dilation": 0}, "{dilation: 4}"),
        (TripletAttention, {"kernel_size": 4}, "{kernel_size: 7}"),
        (GSoP, {"dimension": 1}, "{dimension: 128}"),
        (FcaNet, {}, "{reduction: 2}"),
        (FcaNet, {"reduction": 2, "frequencies": 33}, "{frequencies: 16}"),
        (FcaNet, {"reduction": 2, "size": 6}, "{size: 7}"),
        (EncNet, {"codes": 0}, "{codes: 32}"),
        (BiAttention, {}, "{reduction: 2}"),
        (NonLocal, {"reduction": 16}, "{reduction: 2}"),
        (EMA, {}, "{groups: 8}"),
        (EMA, {"groups": 3}, "{groups: 8}"),
        (SimAM, {"e_lambda": 0.0}, "{e_lambda: 0.0001}"),
        (ShuffleAttention, {}, "{groups: 4}"),
        (SK, {}, "{groups: 8}"),
        (SK, {"groups": 8, "branches": 1}, "{branches: 2}"),
        (LSKA, {"kernel_size": 9}, "{kernel_size: 7}"),
        (MLCA, {"local_size": 0}, "{local_size: 5}"),
        (MLCA, {"local_weight": 1.5}, "{local_weight: 0.5}"),
        (MLCA, {"kernel_size": 4}, "{kernel_size: 3}"),
        (ELA, {}, "{norm_groups: 8}"),
        (ELA, {"norm_groups": 8, "width": 3}, "{width: 8}"),
        (ELA, {"norm_groups": 8, "kernel_size": 6}, "{kernel_size: 7}"),
    ],
)
def test_options_that_do_not_fit_are_refused_with_the_mend(cls, options, mend):
    with pytest.raises(AttentionError) as refused:
        cls(8, **options)
    assert mend in str(refused.value) and cls.__name__ in str(refused.value) and "\n" not in str(refused.value)
