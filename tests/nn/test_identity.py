"""Attention that starts as the identity, beyond the contract: what its parameter is, and how little a graph grows."""

from collections import Counter

import numpy as np
import pytest

from tests.support.operators import OPTIONS, images
from yolo_attn import registry
from yolo_attn.contract.case import Case
from yolo_attn.export.single import exported
from yolo_attn.nn import Attention

every_operator = pytest.mark.parametrize("name", list(OPTIONS))


def fresh(name: str, share: float = 0.0) -> Attention:
    """Returns an operator as it is built, started as the identity, then blended by `share`."""
    return Case(registry.get(name)).fresh(share)


@every_operator
def test_its_parameter_is_a_vector_of_one_number_per_gate(name):
    module = fresh(name)
    assert module.starts_as_identity == (name in ("GCT", "NonLocal"))
    if not module.starts_as_identity:
        assert module.blend.shape == (len(module.gates) or 1,) and "blend" in module.state_dict()
    assert [key for key, _ in module.named_parameters()] == [
        *(["blend"] if module.blend is not None else []),
        *(key for key, _ in registry.get(name).cls(32).named_parameters()),
    ]


def test_a_pickle_from_before_the_parameter_is_read():
    module = fresh("SE")
    state = {**module.__dict__, "_parameters": {}}
    old = registry.get("SE").cls.__new__(registry.get("SE").cls)
    old.__setstate__(state)
    assert old.blend is None and old(images()).shape == images().shape


@pytest.mark.parametrize(("name", "gates"), [("SE", 1), ("ECA", 1), ("CBAM", 2), ("NonLocal", 0)])
def test_it_adds_two_small_nodes_per_gate_and_none_on_the_map(name, gates):
    plain = registry.get(name).cls(32).eval().deploy()
    blended = fresh(name, 0.3).eval().deploy()
    nodes = [
        Counter(n.op_type for n in exported(m, images().shape, dynamic=False).graph.node) for m in (plain, blended)
    ]
    added = nodes[1] - nodes[0]
    assert added == Counter({"Mul": gates, "Add": gates} if gates else {})
    assert sum(map(np.prod, (g(images()).shape[1:] for g in getattr(blended, "gates", [])))) <= 32 + 7 * 13
