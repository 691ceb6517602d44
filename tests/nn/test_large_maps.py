"""Training on maps of large numbers: gradients are finite and as large as they are in double precision."""

import copy

import pytest
import torch

from tests.support.operators import CASES, IDS, images, make
from yolo_attn.nn import NonLocal

ONE = [*CASES, ("NonLocal", {"reduction": 1})]


def gradients(module: torch.nn.Module, x: torch.Tensor) -> dict[str, torch.Tensor]:
    x = x.clone().requires_grad_()
    module(x).square().mean().sqrt().backward()
    return {"x": x.grad, **{name: p.grad for name, p in module.named_parameters()}}


@pytest.mark.parametrize("magnitude", [1e4, 6e4])
@pytest.mark.parametrize(("name", "options"), ONE, ids=[*IDS, "NonLocal-reduction=1"])
def test_gradients_of_large_maps(name, options, magnitude):
    module, x = make(name, options).train(), images(size=(20, 20)) * magnitude
    expected = gradients(copy.deepcopy(module).double(), x.double())
    for key, got in gradients(module, x).items():
        assert got.isfinite().all(), key
        # A bias before a batch norm has rounding alone for a gradient: that of a map, however small in double.
        assert got.abs().max() <= 2 * expected[key].abs().max() + 1e-3 * magnitude, key


def test_the_gradient_of_nonlocal_in_fp16_is_finite_where_products_are_not():
    module, x = make("NonLocal", {"reduction": 1}).train(), (images(size=(20, 20)) * 300).half().requires_grad_()
    assert isinstance(module, NonLocal)
    with torch.autocast("cpu", dtype=torch.float16):
        module(x).float().square().mean().backward()
    assert x.grad.isfinite().all() and all(p.grad.isfinite().all() for p in module.parameters())
