"""No part of ours can be told to write in place, beyond the contract, nor one of a pickle from before."""

import pickle

import pytest
import torch
from torch import nn

from tests.support.operators import CASES, IDS, make
from yolo_attn import registry
from yolo_attn.contract.case import Case
from yolo_attn.contract.inplace import FORMS, formed, step
from yolo_attn.nn import Attention, layers

every_case = pytest.mark.parametrize(("name", "options"), CASES, ids=IDS)


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
    case = Case(registry.get(name), options)
    expected = step(formed(case, form), case.images())
    read = pickle.loads(pickle.dumps(with_torchs_activations(formed(case, form))))
    *got, x = step(read, case.images())
    assert all(torch.equal(a, b) for a, b in zip(got, expected, strict=False))
    assert torch.equal(x, case.images())


@every_case
def test_no_part_has_the_switch(name, options):
    module = make(name, options)
    parts = [*module.modules(), *module.deploy().modules()]
    assert isinstance(parts[0], Attention) and not [part for part in parts if hasattr(part, "inplace")]
