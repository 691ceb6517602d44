"""GAM, CBAM, ECA, CoordAtt and SE against their equations, written out slowly, and against the pasted forms."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from tests.support.operators import CASES, IDS, make
from tests.support.pasted import PastedCoordAtt, PastedGAM
from yolo_attn.errors import AttentionError
from yolo_attn.nn import CBAM, ECA, GAM, SE, CoordAtt
from yolo_attn.tolerance import TOLERANCE

FORMULAS = {}  # class → function of (module, one image (C, H, W)) in numpy, evaluation mode


def formula(cls):
    return lambda function: FORMULAS.setdefault(cls, function)


def sigmoid(v):
    return 1 / (1 + np.exp(-v))


def weights(layer: nn.Module) -> tuple[np.ndarray, np.ndarray]:
    """Returns a layer's weight and bias, the weight of a 1×1 convolution as a matrix."""
    w = layer.weight.detach().numpy()
    b = np.zeros(len(w)) if layer.bias is None else layer.bias.detach().numpy()
    return (w[:, :, 0, 0] if w.shape[2:] == (1, 1) else w), b


def perceptron(layers: nn.Module, v: np.ndarray) -> np.ndarray:
    """Linear, ReLU, Linear on a vector."""
    (w1, b1), (w2, b2) = weights(layers[0]), weights(layers[2])
    return w2 @ np.maximum(w1 @ v + b1, 0) + b2


def normalise(norm: nn.Module, v: np.ndarray) -> np.ndarray:
    """Batch norm in evaluation, channels first."""
    mean, var, w, b = (t.detach().numpy() for t in (norm.running_mean, norm.running_var, norm.weight, norm.bias))
    shape = (-1,) + (1,) * (v.ndim - 1)
    return (v - mean.reshape(shape)) / np.sqrt(var.reshape(shape) + norm.eps) * w.reshape(shape) + b.reshape(shape)


def convolve(conv: nn.Module, x: np.ndarray, groups: int = 1) -> np.ndarray:
    """Zero-padded convolution, one output pixel at a time."""
    w, b = weights(conv)
    if w.ndim == 2:
        w = w[:, :, None, None]
    (c, h, width), (k, across) = x.shape, w.shape[2:]
    padded = np.pad(x, ((0, 0), (k // 2, k // 2), (across // 2, across // 2)))
    y = np.empty((len(w), h, width))
    for o in range(len(w)):
        first = o // (len(w) // groups) * (c // groups)
        for i in range(h):
            for j in range(width):
                y[o, i, j] = (w[o] * padded[first : first + c // groups, i : i + k, j : j + across]).sum() + b[o]
    return y


@formula(GAM)
def gam(m, x):
    channel = np.stack(
        [[perceptron(m.channel_attention, x[:, i, j]) for j in range(x.shape[2])] for i in range(x.shape[1])]
    )
    x = x * (sigmoid(channel) if m.channel_sigmoid else channel).transpose(2, 0, 1)
    conv1, norm1, _, conv2, norm2, _ = m.spatial_attention
    if m.depthwise:  # every channel a group of its own, between two 1×1
        hidden = convolve(conv1[1], convolve(conv1[0], x), m.channels // m.reduction)
        return x * sigmoid(normalise(norm2, convolve(conv2, np.maximum(normalise(norm1, hidden), 0))))
    if m.rank:  # columns of 7 to R channels, rows of 7 from them
        assert conv1[0].out_channels == conv2[0].out_channels == (8 if m.rank is True else m.rank)  # of 32 channels
        hidden = convolve(conv1[1], convolve(conv1[0], x))
        hidden = np.maximum(normalise(norm1, hidden), 0)
        return x * sigmoid(normalise(norm2, convolve(conv2[1], convolve(conv2[0], hidden))))
    hidden = np.maximum(normalise(norm1, convolve(conv1, x, m.groups)), 0)
    order = [g * (len(hidden) // m.groups) + i for i in range(len(hidden) // m.groups) for g in range(m.groups)]
    return x * sigmoid(normalise(norm2, convolve(conv2, hidden[order], m.groups)))


@formula(CBAM)
def cbam(m, x):
    mlp = m.channel_attention.mlp
    gate = sigmoid(perceptron(mlp, x.mean((1, 2))) + perceptron(mlp, x.max((1, 2))))
    x = x * gate[:, None, None]
    pooled = np.stack([x.max(0), x.mean(0)])
    return x * sigmoid(normalise(m.spatial_attention.norm, convolve(m.spatial_attention.conv, pooled)))


@formula(ECA)
def eca(m, x):
    kernel, means = m.conv.weight.detach().numpy()[0, 0], x.mean((1, 2))
    reach = len(kernel) // 2
    gate = [sum(kernel[o + reach] * means[c + o] for o in range(-reach, reach + 1) if 0 <= c + o < len(means))
            for c in range(len(means))]  # fmt: skip
    return x * sigmoid(np.array(gate))[:, None, None]


@formula(CoordAtt)
def coordatt(m, x):
    (w1, b1), (wh, bh), (ww, bw) = weights(m.conv1), weights(m.conv_h), weights(m.conv_w)

    def strip(pooled):
        f = normalise(m.bn1, w1 @ pooled + b1[:, None])
        return f * np.clip(f + 3, 0, 6) / 6

    gate_h = sigmoid(wh @ strip(x.mean(2)) + bh[:, None])
    gate_w = sigmoid(ww @ strip(x.mean(1)) + bw[:, None])
    return x * gate_h[:, :, None] * gate_w[:, None, :]


@formula(SE)
def se(m, x):
    return x * sigmoid(perceptron(m.mlp, x.mean((1, 2))))[:, None, None]


def close(got, want, dtype="float64"):
    return np.abs(np.asarray(got) - np.asarray(want)).max() <= TOLERANCE[dtype] * max(
        1.0, np.abs(np.asarray(want)).max()
    )


MAIN = [(case, i) for case, i in zip(CASES, IDS, strict=True) if case[0] in {cls.__name__ for cls in FORMULAS}]
main_case = pytest.mark.parametrize(("name", "options"), [case for case, _ in MAIN], ids=[i for _, i in MAIN])


@main_case
def test_the_equation(name, options):
    module = make(name, options).double()
    x = torch.randn(2, 32, 5, 4, dtype=torch.float64)
    want = [FORMULAS[type(module)](module, image) for image in x.numpy()]
    assert close(module(x).detach().numpy(), want)


@main_case
def test_gradients(name, options):
    options = {**options, "reduction": 4} if "reduction" in make(name, {}).options() else options
    module = make(name, options, channels=16).double()
    x = torch.randn(2, 16, 3, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(module, x)
    module.train()
    parameters = {key: p.detach().requires_grad_() for key, p in module.named_parameters()}
    keys = list(parameters)

    def train(*values):
        return torch.func.functional_call(module, dict(zip(keys, values, strict=True)), (x.detach(),)).sum()

    assert torch.autograd.gradcheck(train, tuple(parameters.values()), fast_mode=True)


def test_state_dicts_of_the_files_in_circulation_load():
    torch.manual_seed(0)
    x = torch.randn(2, 32, 7, 5)
    for pasted, ours in (
        (PastedGAM(32), GAM(32, channel_sigmoid=False)),
        (PastedGAM(32, channel_sigmoid=True), GAM(32)),
        (PastedCoordAtt(32), CoordAtt(32)),
    ):
        ours.load_state_dict(pasted.state_dict())
        assert close(ours.eval()(x).detach(), pasted.eval()(x).detach(), "float32")


def test_coordatt_normalises_both_strips_together_in_training():
    module = make("CoordAtt", {}).train().double()
    x = torch.randn(3, 32, 5, 9, dtype=torch.float64)
    seen = []
    module.bn1.register_forward_hook(lambda norm, inputs, output: seen.append(inputs[0].detach()))
    before = module.bn1.running_mean.clone()
    module(x)
    strips = torch.cat((x.mean(3), x.mean(2)), 2)  # 5 rows and 9 columns of every image are one sample of 42
    conv = torch.einsum("oc,ncl->nol", module.conv1.weight[:, :, 0, 0], strips) + module.conv1.bias[:, None]
    expected = before + module.bn1.momentum * (conv.mean((0, 2)) - before)
    assert len(seen) == 1 and seen[0].shape == (3, 8, 14, 1)
    assert close(module.bn1.running_mean, expected.detach())


@pytest.mark.parametrize(("channels", "kernel"), [(8, 3), (96, 3), (127, 3), (128, 5), (1280, 5), (2048, 7)])
def test_eca_kernel_by_formula(channels, kernel):
    assert ECA(channels).kernel_size == kernel


@pytest.mark.parametrize("channels", [64, 256, 512])
def test_parameter_counts(channels):
    """The formulas that follow from the papers' layers; C channels, c the hidden width."""
    count = {cls: sum(p.numel() for p in cls(channels).parameters()) for cls in FORMULAS}
    c16, c4, m = channels // 16, channels // 4, max(8, channels // 32)
    assert count == {
        GAM: 2 * channels * c4 + 98 * channels * c4 + 4 * (c4 + channels),
        CBAM: 2 * channels * c16 + c16 + channels + 2 * 49 + 2,
        ECA: {64: 3, 256: 5, 512: 5}[channels],
        CoordAtt: channels * m + 3 * m + 2 * (m * channels + channels),
        SE: 2 * channels * c16 + c16 + channels,
    }
    assert sum(p.numel() for p in GAM(channels, groups=4).parameters()) == (
        2 * channels * c4 + 98 * channels * c4 // 4 + 4 * (c4 + channels)
    )
    assert sum(p.numel() for p in GAM(channels, rank=16).parameters()) == (
        2 * channels * c4 + 2 * 7 * 16 * (channels + c4) + 4 * (c4 + channels)
    )
    assert sum(p.numel() for p in GAM(channels, depthwise=True).parameters()) == (
        4 * channels * c4 + 49 * c4 + 4 * (c4 + channels)
    )
    assert math.isclose(channels / c4, 4)


def test_a_column_and_a_row_are_the_7x7_convolution_that_their_product_is():
    gam = make("GAM", {"rank": 3})
    column, row = gam.spatial_attention[0]
    x = torch.randn(2, 32, 9, 11)
    dense = torch.einsum("ork,rcl->oclk", row.weight[:, :, 0], column.weight[:, :, :, 0])
    assert close(row(column(x)).detach(), nn.functional.conv2d(x, dense, row.bias, padding=3).detach(), "float32")


def test_the_dense_form_keeps_its_names_and_a_pickle_from_before_its_options():
    names = [name for name, _ in GAM(32).spatial_attention.named_parameters()]
    assert names == ["0.weight", "0.bias", "1.weight", "1.bias", "3.weight", "3.bias", "4.weight", "4.bias"]
    old = GAM(32)
    del old.rank, old.depthwise
    assert old.describe() == GAM(32).describe()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rank": 1}, "rank of GAM is true, which is C / reduction, or a number from 2, got 1"),
        ({"rank": -2}, "or a number from 2, got -2"),
        (
            {"rank": 8, "depthwise": True},
            "groups, rank and depthwise each replace its 7×7 convolutions; set one of them",
        ),
        ({"groups": 4, "depthwise": True}, "set one of them"),
        ({"groups": 2, "rank": True}, "set one of them"),
    ],
)
def test_forms_of_gam_that_there_are_not(options, message):
    with pytest.raises(AttentionError, match=message):
        GAM(32, **options)
