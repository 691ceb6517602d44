"""Every operator gives the same numbers, and the same gradients, as the form that people paste today."""

import pytest
import torch
from torch import nn

from tests.support.operators import CASES, IDS, make
from tests.support.pasted import PASTED, paste
from yolo_attn import registry
from yolo_attn.tolerance import TOLERANCE

# The pasted GAM with groups shuffles the gate after its sigmoid: no form of the same mathematics exists. Of a rank, and
# depthwise, it has none either.
COMPARED = [
    (case, i)
    for case, i in zip(CASES, IDS, strict=True)
    if case[1].get("groups", 1) == 1 and not {"rank", "depthwise"} & case[1].keys()
]


def results(module: nn.Module, x: torch.Tensor, gradient: torch.Tensor) -> list[torch.Tensor]:
    """Returns the output, the gradient of the input, and the running statistics of every batch norm."""
    x = x.clone().requires_grad_()
    y = module(x)
    y.backward(gradient)
    return [y.detach(), x.grad, *(value for key, value in module.state_dict().items() if "running" in key)]


def error(got: torch.Tensor, want: torch.Tensor) -> float:
    return ((got.reshape(want.shape) - want).abs().max() / want.abs().max().clamp(min=1)).item()


def test_every_operator_has_a_pasted_form():
    assert set(PASTED) == set(registry.names())


# Odd sizes; the second is larger than every fixed grid there is, the first smaller than most.
@pytest.mark.parametrize("size", [(7, 5), (18, 15)], ids=["7x5", "18x15"])
@pytest.mark.parametrize("training", [False, True], ids=["eval", "train"])
@pytest.mark.parametrize(("name", "options"), [case for case, _ in COMPARED], ids=[i for _, i in COMPARED])
def test_same_numbers_and_gradients(name, options, training, size):
    # In float64: a bias that a batch norm takes out again has nothing but rounding for a gradient.
    ours = make(name, options).double().train(training)
    pasted = paste(ours)
    tolerance = TOLERANCE["float32" if name == "FcaNet" else "float64"]  # the pasted one stores cosines in float32
    x, gradient = torch.randn(2, 3, 32, *size, dtype=torch.float64)
    for got, want in zip(results(ours, x, gradient), results(pasted, x, gradient), strict=True):
        assert error(got, want) <= tolerance
    gradients = [parameter.grad for parameter in ours.parameters()]
    if hasattr(pasted, "adopt"):
        gradients = pasted.adopt(*gradients)
    for got, parameter in zip(gradients, pasted.parameters(), strict=True):
        assert error(got, parameter.grad) <= tolerance
