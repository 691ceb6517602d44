"""Attention takes another's tensors where it is the same function, and says why where it is not."""

import copy
import pickle

import pytest
import torch

from tests.support.operators import CASES, IDS
from tests.support.sensitive import sensitive
from tests.support.tiny import build, detector, image
from yolo_attn import registry
from yolo_attn.upstream.correspondence import difference, fits


def attended(name: str, options: dict, start: str = "paper") -> dict:
    return detector((1, [name, [{**options, "start": start}]]), widths=(32, 32, 32))


@pytest.mark.parametrize(("name", "options"), CASES, ids=IDS)
def test_weights_of_other_options_are_not_taken(name, options, log):
    """Each option that the contract suite knows to change the mathematics, against the default, both ways."""
    source, model = sensitive(build(attended(name, options))), build(attended(name, {})).eval()
    model.load(source)
    x = image()
    if not options:
        assert torch.equal(model(x)[0], source(x)[0]) and "is new" not in log.text
        return
    defaults = registry.get(name).cls(32)
    reasons = ", ".join(
        f"{key} is {getattr(defaults, key)} here and {value} in the source" for key, value in options.items()
    )
    assert f"attention in row 2 is new, as it is another function: {reasons}" in log.text
    assert "of attention" not in log.text
    drawn = dict(source.model[2].named_parameters())
    assert not any(
        drawn[key].shape == value.shape and torch.equal(drawn[key], value)
        for key, value in model.model[2].named_parameters()
        if key in drawn
    )
    again = build(attended(name, options)).eval()
    again.load(source, verbose=False)
    assert torch.equal(again(x)[0], source(x)[0])


def test_an_option_of_training_alone_is_no_other_function(log):
    source, model = (build(attended("EncNet", {"loss_weight": weight})) for weight in (0.2, 0.5))
    model.load(sensitive(source))
    assert "15 of attention" in log.text and "is new" not in log.text
    assert torch.equal(model.eval()(image())[0], source(image())[0]) and model.model[2].loss_weight == 0.5


def test_options_inside_blocks_are_told_once_a_row(log):
    def inside(product: bool) -> dict:
        rows = detector()
        rows["backbone"][1] = [-1, 2, "C2f_BAM", [32, True, {"reduction": 4, "product": product}]]
        return rows

    model = build(inside(True))
    model.load(sensitive(build(inside(False))))
    reason = "attention in row 1 is new, as it is another function: product is True here and False in the source"
    assert log.text.count(reason) == 1
    assert all(m.attn.blend.tolist() == [0] for m in model.model[1].m)


def test_another_operator_inside_a_block_is_named(log):
    models = []
    for name in ("SE", "CBAM"):
        rows = detector()
        rows["backbone"][1] = [-1, 1, f"C2f_{name}", [32, True, {"reduction": 4}]]
        models.append(build(rows))
    models[0].load(models[1])
    assert "attention in row 1 is new, as it is another function: SE here and CBAM in the source" in log.text


def test_a_pickle_from_before_an_option_has_its_default():
    old = registry.get("BAM").cls(32)
    del old.product
    old = pickle.loads(pickle.dumps(old))
    assert fits(registry.get("BAM").cls(32), old) and difference(registry.get("BAM").cls(32, product=True), old)


def test_the_ranges_of_a_quantized_training_do_not_make_another_operator():
    """Ultralytics' training for INT8 puts a buffer beside each weight; a resumed one meets them in its checkpoint."""
    plain = registry.get("SE").cls(32)
    quantized = copy.deepcopy(plain)
    quantized.mlp[0].register_buffer("amax", torch.ones(2, 1, 1, 1))
    assert fits(plain, quantized) and not fits(quantized, plain)
