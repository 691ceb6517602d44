"""No operator changes its input, whatever switches somebody turns on: Ultralytics sets `inplace` on all it loads."""

import pickle

import pytest
import torch
from torch import nn

from tests.support.operators import CASES, IDS, images, make
from yolo_attn.nn import Attention, layers

every_case = pytest.mark.parametrize(("name", "options"), CASES, ids=IDS)
FORMS = ["train", "eval", "deploy"]


def formed(name: str, options: dict, form: str, blended: bool) -> nn.Module:
    module = make(name, options)
    if blended and not module.starts_as_identity:
        module.start_as_identity()
        nn.init.constant_(module.blend, 0.4)
    return module.deploy() if form == "deploy" else module.train(form == "train")


def switched_on(module: nn.Module) -> nn.Module:
    """Returns `module` as Ultralytics' `load_checkpoint` leaves it, and with the switch where it does not look."""
    for part in module.modules():
        part.inplace = True
    return module


def step(module: nn.Module, x: torch.Tensor) -> list[torch.Tensor]:
    """Returns the output, the gradients of input and parameters, and every tensor that the step leaves behind.

    What follows writes in place into the output, as Ultralytics' activations may.
    """
    y = module(x.requires_grad_())
    nn.functional.silu(y, inplace=True).square().sum().backward()
    gradients = [x.grad, *(p.grad for p in module.parameters() if p.requires_grad)]
    return [y.detach(), *gradients, *module.state_dict().values()]


@every_case
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("blended", [False, True], ids=["paper", "identity"])
def test_every_switch_turned_on_changes_nothing(name, options, form, blended):
    x, expected = images(), step(formed(name, options, form, blended), images())
    got = step(switched_on(formed(name, options, form, blended)), x)
    assert torch.equal(x, images())
    assert all(torch.equal(a, b) for a, b in zip(got, expected, strict=True))


@every_case
@pytest.mark.parametrize("form", FORMS)
def test_the_output_is_no_view_of_the_input(name, options, form):
    x = images()
    y = formed(name, options, form, blended=False)(x)
    assert y.untyped_storage().data_ptr() != x.untyped_storage().data_ptr()


def with_torchs_activations(module: nn.Module) -> nn.Module:
    """Returns `module` as version 0.1.0 pickled it, after Ultralytics had loaded it once."""
    theirs = {ours: kind for kind, ours in layers.NEVER_IN_PLACE.items()}
    for parent in module.modules():
        for name, child in parent.named_children():
            if type(child) in theirs:
                setattr(parent, name, theirs[type(child)](inplace=True))
    return module


@every_case
@pytest.mark.parametrize("form", FORMS)
def test_an_old_pickle_is_mended_as_it_is_read(name, options, form):
    expected = step(formed(name, options, form, blended=False), images())
    read = pickle.loads(pickle.dumps(with_torchs_activations(formed(name, options, form, blended=False))))
    x = images()
    assert all(torch.equal(a, b) for a, b in zip(step(read, x), expected, strict=True))
    assert torch.equal(x, images())


@every_case
def test_no_part_has_the_switch(name, options):
    module = make(name, options)
    parts = [*module.modules(), *module.deploy().modules()]
    assert isinstance(parts[0], Attention) and not [part for part in parts if hasattr(part, "inplace")]
