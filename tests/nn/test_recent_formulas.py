"""The younger operators against their equations, written out slowly in NumPy, and their gradients."""

import numpy as np
import pytest

from tests.support.slow import Slow, bins, check_gradients, compare, relu, sigmoid, softmax
from yolo_attn.nn.ela import ELA
from yolo_attn.nn.ema import EMA
from yolo_attn.nn.lska import KERNELS, LSKA
from yolo_attn.nn.mlca import MLCA
from yolo_attn.nn.nam import NAM
from yolo_attn.nn.shuffle import ShuffleAttention
from yolo_attn.nn.simam import SimAM
from yolo_attn.nn.sk import SK


def convolved(x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None = None, groups: int = 1, dilation: int = 1):
    """A convolution of `(N, C, H, W)` that keeps the map's size: zero padding, in groups."""
    outputs, width, kh, kw = weight.shape
    y = np.zeros((len(x), outputs, *x.shape[2:]))
    for b, o, h, w in np.ndindex(y.shape):
        first = o // (outputs // groups) * width
        for c, i, j in np.ndindex(width, kh, kw):
            row, column = h + (i - kh // 2) * dilation, w + (j - kw // 2) * dilation
            if 0 <= row < x.shape[2] and 0 <= column < x.shape[3]:
                y[b, o, h, w] += weight[o, c, i, j] * x[b, first + c, row, column]
        y[b, o, h, w] += 0 if bias is None else bias[o]
    return y


def group_normed(x: np.ndarray, groups: int, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Each group of each image by its own mean and variance, then each channel by its weight and bias."""
    y = np.empty_like(x)
    width = x.shape[1] // groups
    for b, g in np.ndindex(len(x), groups):
        part = x[b, g * width : (g + 1) * width]
        y[b, g * width : (g + 1) * width] = (part - part.mean()) / np.sqrt(part.var() + 1e-5)
    shape = (1, -1) + (1,) * (x.ndim - 2)
    return y * weight.reshape(shape) + bias.reshape(shape)


def slow_ema(m: EMA, x: np.ndarray) -> np.ndarray:
    slow, width, out = Slow(m), m.channels // m.groups, []
    for g in range(m.groups):
        part = x[:, g * width : (g + 1) * width]
        strips = np.concatenate((part.mean(3), part.mean(2)), 2)[..., None]
        strips = sigmoid(convolved(strips, slow["conv1x1.weight"], slow["conv1x1.bias"]))[..., 0]
        rows, columns = strips[:, :, : x.shape[2]], strips[:, :, x.shape[2] :]
        one = group_normed(part * rows[..., None] * columns[:, :, None], width, slow["gn.weight"], slow["gn.bias"])
        other = convolved(part, slow["conv3x3.weight"], slow["conv3x3.bias"])
        summed = sum(
            np.einsum("nc,nchw->nhw", softmax(weigher.mean((2, 3))), weighed)
            for weigher, weighed in ((one, other), (other, one))
        )
        out.append(part * sigmoid(summed)[:, None])
    return np.concatenate(out, 1)


def slow_simam(m: SimAM, x: np.ndarray) -> np.ndarray:
    y = np.empty_like(x)
    for b, c in np.ndindex(x.shape[:2]):
        d = (x[b, c] - x[b, c].mean()) ** 2
        variance = d.sum() / max(d.size - 1, 1)
        y[b, c] = x[b, c] * sigmoid(d / (4 * (variance + m.e_lambda)) + 0.5)
    return y


def slow_shuffle(m: ShuffleAttention, x: np.ndarray) -> np.ndarray:
    slow, width = Slow(m), m.channels // (2 * m.groups)
    y = np.empty_like(x)
    for g in range(m.groups):
        first = slice(2 * g * width, (2 * g + 1) * width)
        second = slice((2 * g + 1) * width, (2 * g + 2) * width)
        means = x[:, first].mean((2, 3))
        y[:, first] = x[:, first] * sigmoid(slow["cweight"] * means + slow["cbias"])[..., None, None]
        normed = group_normed(x[:, second], width, slow["gn.weight"], slow["gn.bias"])
        gate = slow["sweight"][:, None, None] * normed + slow["sbias"][:, None, None]
        y[:, second] = x[:, second] * sigmoid(gate)
    half = m.channels // 2
    shuffled = np.empty_like(y)
    for k in range(half):  # two groups of channels, taken in turns
        shuffled[:, 2 * k], shuffled[:, 2 * k + 1] = y[:, k], y[:, half + k]
    return shuffled


def slow_nam(m: NAM, x: np.ndarray) -> np.ndarray:
    slow = Slow(m)
    weights = np.abs(slow["norm.weight"]) / np.abs(slow["norm.weight"]).sum()
    return x * sigmoid(weights[:, None, None] * slow.norm(x, "norm"))


def slow_sk(m: SK, x: np.ndarray) -> np.ndarray:
    slow = Slow(m)
    maps = [
        relu(slow.norm(convolved(x, slow[f"convs.{i}.0.weight"], None, m.groups, 1 + i), f"convs.{i}.1"))
        for i in range(m.branches)
    ]
    squeezed = sum(maps).mean((2, 3), keepdims=True)
    squeezed = relu(slow.norm(convolved(squeezed, slow["fc.0.weight"]), "fc.1"))
    logits = [convolved(squeezed, slow[f"fcs.{i}.weight"], slow[f"fcs.{i}.bias"]) for i in range(m.branches)]
    weights = softmax(np.stack(logits, -1))
    return sum(one * weights[..., i] for i, one in enumerate(maps))


def slow_lska(m: LSKA, x: np.ndarray) -> np.ndarray:
    slow, y = Slow(m), x
    dilation = KERNELS[m.kernel_size][2]
    for name, spread in (("conv0h", 1), ("conv0v", 1), ("conv_spatial_h", dilation), ("conv_spatial_v", dilation)):
        y = convolved(y, slow[f"{name}.weight"], slow[f"{name}.bias"], m.channels, spread)
    return x * convolved(y, slow["conv1.weight"], slow["conv1.bias"])


def along_channels(values: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """A convolution along a line of numbers, with zeros beyond its ends."""
    half = len(kernel) // 2
    padded = np.pad(values, half)
    return np.array([padded[i : i + len(kernel)] @ kernel for i in range(len(values))])


def slow_mlca(m: MLCA, x: np.ndarray) -> np.ndarray:
    slow, y = Slow(m), np.empty_like(x)
    rows, columns = bins(x.shape[2], m.local_size), bins(x.shape[3], m.local_size)
    back = bins(m.local_size, x.shape[2]), bins(m.local_size, x.shape[3])
    for b in range(len(x)):
        cells = np.array([x[b][:, h, w].mean((1, 2)) for h in rows for w in columns])  # (S * S, C)
        whole = sigmoid(along_channels(cells.mean(0), slow["conv.weight"].ravel()))
        local = sigmoid(along_channels(cells.ravel(), slow["conv_local.weight"].ravel())).reshape(cells.shape)
        gate = (1 - m.local_weight) * whole + m.local_weight * local
        gate = gate.T.reshape(-1, m.local_size, m.local_size)
        for h, w in np.ndindex(x.shape[2:]):
            y[b, :, h, w] = x[b, :, h, w] * gate[:, back[0][h], back[1][w]].mean((1, 2))
    return y


def slow_ela(m: ELA, x: np.ndarray) -> np.ndarray:
    slow = Slow(m)
    gates = []
    for strip in (x.mean(3), x.mean(2)):
        y = convolved(strip[..., None], slow["conv.weight"][..., None], None, m.channels // m.width)[..., 0]
        gates.append(sigmoid(group_normed(y, m.norm_groups, slow["gn.weight"], slow["gn.bias"])))
    return x * gates[0][..., None] * gates[1][:, :, None]


# What is built, its equation, and a map it is compared on.
CASES = [
    (EMA, {"groups": 2}, slow_ema, (2, 6, 4, 5)),
    (EMA, {"groups": 3}, slow_ema, (1, 3, 3, 2)),
    (SimAM, {}, slow_simam, (2, 3, 5, 4)),
    (SimAM, {"e_lambda": 0.5}, slow_simam, (2, 3, 1, 1)),
    (ShuffleAttention, {"groups": 2}, slow_shuffle, (2, 8, 3, 4)),
    (ShuffleAttention, {"groups": 1}, slow_shuffle, (2, 6, 1, 5)),
    (NAM, {}, slow_nam, (3, 5, 4, 3)),
    (SK, {"groups": 2, "hidden": 3}, slow_sk, (3, 4, 5, 4)),
    (SK, {"branches": 3, "groups": 1, "reduction": 2, "hidden": 1}, slow_sk, (2, 4, 6, 3)),
    (LSKA, {}, slow_lska, (2, 3, 7, 6)),
    *((LSKA, {"kernel_size": size}, slow_lska, (1, 2, 4, 9)) for size in KERNELS if size > 7),
    (MLCA, {}, slow_mlca, (2, 8, 7, 11)),
    (MLCA, {"local_size": 3, "kernel_size": 5, "local_weight": 0.25}, slow_mlca, (2, 4, 2, 6)),
    (ELA, {"norm_groups": 2}, slow_ela, (2, 4, 5, 9)),
    (ELA, {"norm_groups": 3, "kernel_size": 5, "width": 2}, slow_ela, (2, 6, 4, 3)),
]
IDS = [f"{cls.__name__}-{options or 'default'}-{shape}" for cls, options, _, shape in CASES]
SMALL = {
    EMA: {"groups": 2}, SimAM: {"e_lambda": 0.1}, ShuffleAttention: {"groups": 1}, NAM: {},
    SK: {"groups": 2, "hidden": 3}, LSKA: {}, MLCA: {"local_size": 2}, ELA: {"norm_groups": 2},
}  # fmt: skip


@pytest.mark.parametrize("training", [False, True], ids=["eval", "train"])
@pytest.mark.parametrize(("cls", "options", "slow", "shape"), CASES, ids=IDS)
def test_equals_its_equation(cls, options, slow, shape, training):
    compare(cls, options, slow, shape, training)


@pytest.mark.parametrize("training", [False, True], ids=["eval", "train"])
@pytest.mark.parametrize("cls", list(SMALL))
def test_gradients_are_those_of_the_forward(cls, training):
    check_gradients(cls, SMALL[cls], training)
