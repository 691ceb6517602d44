"""Attention that starts as the identity: the base's output at step 0, attention after it, little in a graph."""

import copy
from collections import Counter

import numpy as np
import onnxruntime
import pytest
import torch

from tests.support.operators import CASES, IDS, OPTIONS, assert_close, images
from yolo_attn import registry
from yolo_attn.export.parity import error
from yolo_attn.export.single import exported, rewritten
from yolo_attn.nn import Attention
from yolo_attn.tolerance import TOLERANCE

every_case = pytest.mark.parametrize(("name", "options"), CASES, ids=IDS)
every_operator = pytest.mark.parametrize("name", list(OPTIONS))


def fresh(name: str, options: dict, share: float = 0.0) -> Attention:
    """Returns an operator as it is built, started as the identity, then blended by `share`."""
    torch.manual_seed(0)
    module = registry.get(name).cls(32, **options)
    module.start_as_identity()
    if module.blend is not None:
        torch.nn.init.constant_(module.blend, share)
    return module


@every_case
def test_it_starts_as_the_identity_exactly(name, options):
    for training in (False, True):
        assert torch.equal(fresh(name, options).train(training)(images()), images())
    for dtype in (torch.float16, torch.bfloat16):
        x = images().to(dtype)
        with torch.autocast("cpu", dtype):
            y = fresh(name, options).eval()(x)
        assert y.dtype == dtype and torch.equal(y, x)


@every_case
def test_after_the_first_step_a_gradient_reaches_every_parameter(name, options):
    module, x = fresh(name, options).train(), images(8)
    target = images(8, seed=2)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    (module(x) - target).square().mean().backward()
    assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in module.parameters())
    if module.blend is not None:
        assert (module.blend.grad != 0).all()
    for _ in range(2 if name == "SRM" else 1):  # whose own weights are 0 at first, before its batch norm
        optimizer.step()
        optimizer.zero_grad()
        (module(x) - target).square().mean().backward()
    for key, parameter in module.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, key


@every_case
def test_a_share_of_one_is_the_paper(name, options):
    blended = fresh(name, options, 1.0).eval()
    plain = registry.get(name).cls(32, **options).eval()
    plain.load_state_dict({k: v for k, v in blended.state_dict().items() if k != "blend"})
    assert_close(blended(images()), plain(images()))


@every_case
def test_deploy_and_gate_agree(name, options):
    module = fresh(name, options, 0.3).eval()
    deployed = module.deploy()
    assert_close(deployed(images()), module(images()))
    assert not any(p.requires_grad for p in deployed.parameters())
    if module.gates:
        assert_close(images() * module.gate(images()), module(images()))
    assert ("start=identity" in module.describe()) == (module.blend is not None)
    twin = copy.deepcopy(module)
    assert torch.equal(twin(images()), module(images()))


@every_operator
def test_its_parameter_is_a_vector_of_one_number_per_gate(name):
    module = fresh(name, {})
    assert module.starts_as_identity == (name in ("GCT", "NonLocal"))
    if not module.starts_as_identity:
        assert module.blend.shape == (len(module.gates),) and "blend" in module.state_dict()
    assert [key for key, _ in module.named_parameters()] == [
        *(["blend"] if module.blend is not None else []),
        *(key for key, _ in registry.get(name).cls(32).named_parameters()),
    ]


def test_a_pickle_from_before_the_parameter_is_read():
    module = fresh("SE", {})
    state = {**module.__dict__, "_parameters": {}}
    old = registry.get("SE").cls.__new__(registry.get("SE").cls)
    old.__setstate__(state)
    assert old.blend is None and old(images()).shape == images().shape


@every_operator
def test_onnx_equals(name):
    module = fresh(name, {}, 0.3).eval().deploy()
    model, _ = rewritten(exported(module, images().shape, dynamic=True))
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    for size in ((7, 13), (20, 20)):
        x = images(size=size)
        (got,) = session.run(None, {"x": x.numpy()})
        assert error(got, module(x).numpy()) <= TOLERANCE["float32"]


@pytest.mark.parametrize(("name", "gates"), [("SE", 1), ("ECA", 1), ("CBAM", 2), ("NonLocal", 0)])
def test_it_adds_two_small_nodes_per_gate_and_none_on_the_map(name, gates):
    plain = registry.get(name).cls(32).eval().deploy()
    blended = fresh(name, {}, 0.3).eval().deploy()
    nodes = [
        Counter(n.op_type for n in exported(m, images().shape, dynamic=False).graph.node) for m in (plain, blended)
    ]
    added = nodes[1] - nodes[0]
    assert added == Counter({"Mul": gates, "Add": gates} if gates else {})
    assert sum(map(np.prod, (g(images()).shape[1:] for g in getattr(blended, "gates", [])))) <= 32 + 7 * 13
