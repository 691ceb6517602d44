"""The further operators against their equations, written out slowly in NumPy, and their gradients."""

import numpy as np
import pytest
import torch

from tests.support.operators import make
from tests.support.slow import Slow, bins, check_gradients, compare, relu, sigmoid, softmax
from yolo_attn.nn.bam import BAM
from yolo_attn.nn.biattention import BiAttention
from yolo_attn.nn.encnet import EncNet
from yolo_attn.nn.fca import RANKING, FcaNet
from yolo_attn.nn.gct import GCT
from yolo_attn.nn.gsop import GSoP
from yolo_attn.nn.nonlocal_ import NonLocal
from yolo_attn.nn.srm import SRM
from yolo_attn.nn.triplet import TripletAttention


def slow_bam(m: BAM, x: np.ndarray) -> np.ndarray:
    slow = Slow(m)
    channel, spatial = "bottleneck_attention.channel", "bottleneck_attention.spatial"
    mean = x.mean((2, 3), keepdims=True)
    mc = slow.conv(relu(slow.norm(slow.conv(mean, f"{channel}.1"), f"{channel}.2")), f"{channel}.4")
    ms = relu(slow.norm(slow.conv(x, f"{spatial}.0"), f"{spatial}.1"))
    ms = relu(slow.norm(slow.conv(ms, f"{spatial}.3", m.dilation), f"{spatial}.4"))
    ms = relu(slow.norm(slow.conv(ms, f"{spatial}.6", m.dilation), f"{spatial}.7"))
    ms = slow.conv(ms, f"{spatial}.9")
    return x * (1 + sigmoid(mc * ms if m.product else mc + ms))


def slow_triplet(m: TripletAttention, x: np.ndarray) -> np.ndarray:
    """The authors' form: rotate the map, gate it, rotate it back, three times."""
    slow = Slow(m)
    rotations = {"cw": (0, 2, 1, 3), "hc": (0, 3, 2, 1), "hw": (0, 1, 2, 3)}
    if not m.spatial:
        del rotations["hw"]
    copies = []
    for name, axes in rotations.items():
        rotated = x.transpose(axes)
        pooled = np.stack((rotated.max(1), rotated.mean(1)), 1)
        gate = sigmoid(slow.norm(slow.conv(pooled, f"{name}.conv.conv"), f"{name}.conv.bn"))
        copies.append((rotated * gate).transpose(axes))  # each of these rotations is its own inverse
    return sum(copies) / len(copies)


def covariance(rows: np.ndarray) -> np.ndarray:
    """Of `rows` (variables, samples), by the centring matrix I − 1/n, divided by n."""
    n = rows.shape[1]
    return rows @ (np.eye(n) - np.full((n, n), 1 / n)) @ rows.T / n


def row_filters(slow: Slow, matrix: np.ndarray) -> np.ndarray:
    """Four filters for each row of each normalised matrix: (N, rows, rows) → (N, 4 · rows)."""
    name = "second_order_attention.excite"
    normed = slow.norm(matrix, f"{name}.0")
    weight, bias = slow[f"{name}.1.weight"], slow[f"{name}.1.bias"]
    return np.array(
        [[weight[k, 0, 0] @ normed[b, k // 4] + bias[k] for k in range(len(bias))] for b in range(len(matrix))]
    )


def slow_gsop(m: GSoP, x: np.ndarray) -> np.ndarray:
    slow = Slow(m)
    name = "second_order_attention"
    reduced = slow.norm(slow.conv(relu(x), f"{name}.reduce.1"), f"{name}.reduce.2")
    if m.position:
        rows, columns = bins(x.shape[2], 8), bins(x.shape[3], 8)
        pooled = np.array([[reduced[:, :, r, c].mean((2, 3)) for c in columns] for r in rows])  # (8, 8, N, d)
        matrix = np.array([covariance(pooled[:, :, b].reshape(64, -1)) for b in range(len(x))])
        hidden = relu(row_filters(slow, matrix))[:, :, None, None]
        cells = sigmoid(slow.conv(hidden, f"{name}.excite.3")).reshape(-1, 8, 8)
        rows, columns = bins(8, x.shape[2]), bins(8, x.shape[3])
        gate = np.array([[[cell[r, c].mean() for c in columns] for r in rows] for cell in cells])[:, None]
    else:
        matrix = np.array([covariance(relu(image).reshape(len(image), -1)) for image in reduced])
        gate = sigmoid(slow.conv(row_filters(slow, matrix)[:, :, None, None], f"{name}.excite.2"))
    return x * gate


def slow_srm(m: SRM, x: np.ndarray) -> np.ndarray:
    slow = Slow(m)
    z = np.empty((*x.shape[:2], 1, 1))
    for b, c in np.ndindex(x.shape[:2]):
        pixels = x[b, c].ravel()
        mean = pixels.sum() / len(pixels)
        variance = ((pixels - mean) ** 2).sum() / (len(pixels) - 1) if len(pixels) > 1 else 0.0
        z[b, c] = slow["cfc_bias_mean"][c] * mean + slow["cfc_bias_std"][c] * np.sqrt(variance + 1e-5)
    return x * sigmoid(slow.norm(z, "norm"))


def slow_gct(m: GCT, x: np.ndarray) -> np.ndarray:
    slow = Slow(m)
    alpha, gamma, beta = (slow[f"channel_attention.{name}"] for name in ("alpha", "gamma", "beta_bias"))
    y = np.empty_like(x)
    for b, image in enumerate(x):
        if m.l1:
            e = alpha * np.abs(image).sum((1, 2))
            normalised = e / (np.abs(e).mean() + 1e-5)
        else:
            e = alpha * np.sqrt((image**2).sum((1, 2)) + 1e-5)
            normalised = e / np.sqrt((e**2).mean() + 1e-5)
        y[b] = image * (1 + np.tanh(gamma * normalised + beta))[:, None, None]
    return y


def slow_fca(m: FcaNet, x: np.ndarray) -> np.ndarray:
    slow = Slow(m)
    size, groups = m.size, min(m.frequencies, m.channels)

    def cosine(frequency: int, position: int) -> float:
        norm = np.sqrt(1 / size) if frequency == 0 else np.sqrt(2 / size)
        return norm * np.cos(np.pi * frequency * (position + 0.5) / size)

    f = np.zeros((*x.shape[:2], 1, 1))
    rows, columns = bins(x.shape[2], size), bins(x.shape[3], size)
    for b, c in np.ndindex(x.shape[:2]):
        u, v = (frequency * (size // 7) for frequency in RANKING[c * groups // m.channels])
        for i, j in np.ndindex(size, size):
            f[b, c] += x[b, c, rows[i], columns[j]].mean() * cosine(u, i) * cosine(v, j)
    return x * sigmoid(slow.conv(relu(slow.conv(f, "mlp.0")), "mlp.2"))


def slow_encnet(m: EncNet, x: np.ndarray) -> np.ndarray:
    slow = Slow(m)
    codewords, scale = slow["codewords"][0], slow["scale"]
    f = relu(slow.norm(slow.conv(x, "project.0"), "project.1"))
    pixels = f.reshape(*f.shape[:2], -1).transpose(0, 2, 1)
    residuals = pixels[:, :, None] - codewords  # the N × K × C differences
    assignment = softmax(scale * (residuals**2).sum(3))
    encoded = (assignment[..., None] * residuals).sum(1)
    e = relu(slow.norm(encoded, "norm")).mean(1)
    gamma = sigmoid(e @ slow["fc.weight"][:, :, 0, 0].T + slow["fc.bias"])
    return x + x * gamma[:, :, None, None]


def slow_biattention(m: BiAttention, x: np.ndarray) -> np.ndarray:
    slow = Slow(m)
    name = "bilinear_attention"

    def stage(y: np.ndarray, part: str) -> np.ndarray:
        return relu(slow.norm(slow.conv(y, f"{name}.{part}.0"), f"{name}.{part}.1"))

    f = stage(x, "reduce")
    products = np.empty((len(x), f.shape[1] * (f.shape[1] + 1) // 2, *x.shape[2:]))
    for b, h, w in np.ndindex(len(x), *x.shape[2:]):
        outer = np.outer(f[b, :, h, w], f[b, :, h, w])
        products[b, :, h, w] = np.concatenate([np.diagonal(outer, -offset) for offset in range(len(outer))])
    return x * sigmoid(stage(products.mean((2, 3), keepdims=True), "inner") * stage(products, "outer"))


def slow_nonlocal(m: NonLocal, x: np.ndarray) -> np.ndarray:
    slow = Slow(m)
    height, width = x.shape[2:]
    rows, columns = ([slice(i, i + 2) for i in range(0, length, 2)] for length in (height, width))
    pooled = np.array([[x[:, :, r, c].max((2, 3)) for c in columns] for r in rows]).transpose(2, 3, 0, 1)
    theta, phi, g = slow.conv(x, "theta"), slow.conv(pooled, "phi"), slow.conv(pooled, "g")
    y = np.empty_like(theta)
    for b, h, w in np.ndindex(len(x), height, width):
        likeness = theta[b, :, h, w] @ phi[b].reshape(len(phi[b]), -1) / np.sqrt(len(phi[b]))
        y[b, :, h, w] = g[b].reshape(len(g[b]), -1) @ softmax(likeness)
    return x + slow.norm(slow.conv(y, "out"), "norm")


# What is built, its equation, and a map it is compared on.
CASES = [
    (BAM, {"reduction": 4}, slow_bam, (2, 8, 9, 10)),
    (BAM, {"reduction": 4, "dilation": 1, "product": True}, slow_bam, (2, 8, 3, 4)),
    (TripletAttention, {}, slow_triplet, (2, 5, 9, 4)),
    (TripletAttention, {"kernel_size": 3, "spatial": False}, slow_triplet, (2, 8, 3, 7)),
    (GSoP, {"dimension": 6}, slow_gsop, (3, 8, 5, 4)),
    (GSoP, {}, slow_gsop, (3, 4, 1, 6)),
    (GSoP, {"dimension": 5, "position": True}, slow_gsop, (3, 6, 11, 5)),
    (SRM, {}, slow_srm, (3, 6, 5, 4)),
    (SRM, {}, slow_srm, (3, 6, 1, 1)),
    (GCT, {}, slow_gct, (2, 6, 5, 4)),
    (GCT, {"l1": True}, slow_gct, (2, 6, 5, 4)),
    (FcaNet, {"reduction": 4}, slow_fca, (2, 32, 14, 9)),
    (FcaNet, {"reduction": 2, "frequencies": 5, "size": 15}, slow_fca, (2, 12, 6, 20)),
    (FcaNet, {"reduction": 2}, slow_fca, (2, 6, 7, 7)),
    (EncNet, {"codes": 5}, slow_encnet, (3, 6, 4, 5)),
    (BiAttention, {"reduction": 2}, slow_biattention, (3, 8, 4, 3)),
    (NonLocal, {}, slow_nonlocal, (2, 6, 5, 4)),
    (NonLocal, {"reduction": 3}, slow_nonlocal, (2, 6, 1, 3)),
]
IDS = [f"{cls.__name__}-{options or 'default'}-{shape}" for cls, options, _, shape in CASES]
OPERATORS = list(dict.fromkeys(cls for cls, *_ in CASES))
SMALL = {
    "BAM": {"reduction": 2, "dilation": 2},
    "GSoP": {"dimension": 3},
    "FcaNet": {"reduction": 2},
    "EncNet": {"codes": 3},
    "BiAttention": {"reduction": 2},
}


@pytest.mark.parametrize("training", [False, True], ids=["eval", "train"])
@pytest.mark.parametrize(("cls", "options", "slow", "shape"), CASES, ids=IDS)
def test_equals_its_equation(cls, options, slow, shape, training):
    compare(cls, options, slow, shape, training)


@pytest.mark.parametrize("training", [False, True], ids=["eval", "train"])
@pytest.mark.parametrize("cls", OPERATORS)
def test_gradients_are_those_of_the_forward(cls, training):
    check_gradients(cls, SMALL.get(cls.__name__, {}), training)


def test_gradients_of_the_position_form():
    module = make("GSoP", {"position": True}, 3).double().train()
    x = torch.randn(2, 3, 3, 9, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(module, (x,), fast_mode=True)
