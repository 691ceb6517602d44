"""A 7×7 convolution as two: whole at full rank, the best that fewer channels can, and what is said of it is so."""

import pytest
import torch
from torch import nn

from yolo_attn.evidence import separable


def smooth(images: int = 4, channels: int = 6, size: tuple[int, int] = (11, 9), seed: int = 0) -> torch.Tensor:
    """Returns maps as a network has them: neighbours and channels alike, and none around 0."""
    draw = torch.Generator().manual_seed(seed)
    mixed = torch.einsum(
        "oc,nchw->nohw", torch.randn(channels, channels, generator=draw) * torch.logspace(0, -1.5, channels),
        torch.randn(images, channels, *size, generator=draw),
    )  # fmt: skip
    return nn.functional.avg_pool2d(mixed, 3, 1, 1).mul(3).relu()


def seven(channels: int = 6, to: int = 5, bias: bool = True, seed: int = 1) -> nn.Conv2d:
    torch.manual_seed(seed)
    return nn.Conv2d(channels, to, 7, padding=3, bias=bias)


def two(conv: nn.Conv2d, found: separable.Factors, rank: int, shift: torch.Tensor | None = None) -> nn.Sequential:
    """Returns the two convolutions as GAM has them."""
    made = nn.Sequential(
        nn.Conv2d(conv.in_channels, rank, (7, 1), padding=(3, 0), bias=False),
        nn.Conv2d(rank, conv.out_channels, (1, 7), padding=(0, 3)),
    )
    made.load_state_dict(separable.state(conv, found, rank, shift))
    return made


def covariance(conv: nn.Conv2d, x: torch.Tensor) -> torch.Tensor:
    inputs = separable.Inputs(conv)
    for part in x.split(2):
        inputs.see(part)
    return inputs.covariance()


def error(conv: nn.Conv2d, found: separable.Factors, rank: int, x: torch.Tensor) -> float:
    """Returns the error over the variance, the bias moved as it is best, written out."""
    y, other = conv(x).double(), two(conv, found, rank)(x).double()
    missed = y - other
    missed = missed - missed.mean((0, 2, 3), keepdim=True)
    return float(missed.square().sum() / (y - y.mean((0, 2, 3), keepdim=True)).square().sum())


@pytest.mark.parametrize(("channels", "to", "bias"), [(6, 5, True), (3, 9, True), (9, 3, False), (1, 1, True)])
@pytest.mark.parametrize("weighted", [False, True])
@torch.inference_mode()
def test_all_channels_are_the_whole_convolution(channels, to, bias, weighted):
    conv, x = seven(channels, to, bias), smooth(channels=channels)
    found = separable.factors(conv, covariance(conv, x) if weighted else None)
    whole = found.column.shape[0]
    assert whole == 7 * min(channels, to)
    other = torch.randn(2, channels, 13, 8)  # of no data that it was fitted to
    assert torch.allclose(two(conv, found, whole)(other), conv(other), atol=2e-5)


def test_without_data_what_is_missing_are_the_smallest_singular_values():
    conv = seven()
    found, weight = separable.factors(conv), conv.weight.detach().double()
    values = torch.linalg.svdvals(weight.permute(1, 2, 0, 3).reshape(42, 35))
    for rank in (1, 4, 20):
        kernel = torch.einsum("rcuz,orzv->ocuv", found.column[:rank], found.row[:, :rank])
        assert float((weight - kernel).square().sum()) == pytest.approx(float(values[rank:].square().sum()), rel=1e-9)


def test_the_covariance_is_that_of_the_columns():
    conv, x = seven(3, 2), smooth(channels=3)
    padded = nn.functional.pad(x.double(), (0, 0, 3, 3))
    n, _, h, w = x.shape
    columns = torch.stack([
        padded[k, :, i : i + 7, j].flatten() for k in range(n) for i in range(h) for j in range(w)
    ])  # fmt: skip
    assert torch.allclose(covariance(conv, x), torch.cov(columns.T, correction=0), atol=1e-6)


@torch.inference_mode()
def test_a_small_spread_beside_a_large_mean_is_seen():
    conv, x = seven(), smooth()
    far = covariance(conv, nn.functional.pad(x, (0, 0, 3, 3)) + 1000)
    inner = [c * 7 + 3 for c in range(6)]  # the middle pixels of the columns, which meet no border's zeros
    values = nn.functional.pad(x, (0, 0, 3, 3)).double().permute(1, 0, 2, 3).flatten(1)
    assert torch.allclose(far[inner][:, inner], torch.cov(values, correction=0), rtol=1e-2, atol=1e-3)
    assert torch.isfinite(separable.factors(conv, far).column).all()


def test_a_covariance_that_is_rounded_has_a_root():
    values = torch.diag(torch.tensor([4.0, 1.0, -1e-2], dtype=torch.float64))
    found = separable.root(values)
    assert torch.allclose(found @ found.T, values, atol=0.2) and (found.diagonal() > 0).all()


@torch.inference_mode()
def test_fitted_to_the_data_it_is_no_worse_there():
    gains = []
    for seed in range(6):
        conv, x = seven(seed=seed), smooth(seed=seed)
        plain, fitted = separable.factors(conv), separable.factors(conv, covariance(conv, x))
        for rank in (2, 6, 12, 20):
            before, after = error(conv, plain, rank, x), error(conv, fitted, rank, x)
            assert after <= before * 1.001
            gains.append(before / after)
    assert sorted(gains)[len(gains) // 2] > 1.5  # and half of the time much better


@torch.inference_mode()
def test_what_is_said_of_each_rank_is_so():
    conv, x = seven(), smooth()
    found = separable.factors(conv, covariance(conv, x))
    seen = separable.Responses(conv, found, [2, 6, 35])
    for part in x.split(2):
        seen.see(part, conv(part))
    fits = seen.fits()
    for rank in (2, 6):
        assert fits[rank].error == pytest.approx(error(conv, found, rank, x), rel=1e-3)
        moved = two(conv, found, rank, fits[rank].shift)(x)
        assert torch.allclose(moved.mean((0, 2, 3)), conv(x).mean((0, 2, 3)), atol=1e-5)
    assert 1 > fits[2].error > fits[6].error > 1e-4 and fits[35].error < 1e-9


@torch.inference_mode()
def test_dead_inputs_are_no_obstacle():
    conv, x = seven(), torch.zeros(2, 6, 5, 5)
    found = separable.factors(conv, covariance(conv, x))
    seen = separable.Responses(conv, found, [2, 35])
    seen.see(x, conv(x))
    assert torch.isfinite(found.column).all() and all(fit.error < 1e-6 for fit in seen.fits().values())
