"""What runs again, and that nothing else does."""

import pytest
import torch

import yolo_attn
from tests.support import networks, tiny
from yolo_attn.evidence.replay import Replay


@pytest.fixture(scope="module")
def network():
    """A detector with attention in the backbone, rows 5, 8 and 11, and before the head, rows 26 to 28."""
    rows = yolo_attn.insert(yolo_attn.insert("yolo11n.yaml", "eca", at="backbone"), "se", at="head")
    return networks.build(rows).eval().fuse(verbose=False)


def ran(network, x) -> tuple[torch.Tensor, set[int]]:
    """The output, and the rows of which something ran."""
    found, handles = set(), []
    for i, row in enumerate(network.model):
        for part in row.modules():
            if not list(part.children()):
                handles.append(part.register_forward_hook(lambda *_, i=i: found.add(i)))
    replayed = {i for i, row in enumerate(network.model) if "<lambda>" in getattr(row.forward, "__qualname__", "")}
    with torch.inference_mode():
        output = network(x)[0]
    for handle in handles:
        handle.remove()
    return output, found - replayed


@pytest.mark.parametrize(
    ("rows", "again"), [({26}, {26, 29}), ({28}, {28, 29}), ({11}, set(range(11, 30))), ({5, 27}, None)]
)
def test_rows_that_read_nothing_new_do_not_run(network, rows, again):
    x = tiny.image(0, 64)
    replay = Replay(network, [rows])
    want, _ = ran(network, x)
    with replay.only(rows):
        got, found = ran(network, x)
    assert torch.equal(got, want)
    assert found == (again or set(range(5, 30)))
    assert torch.equal(ran(network, x)[0], want)


def test_a_row_that_changes_changes_the_output(network):
    x, row = tiny.image(0, 64), network.model[26]
    replay = Replay(network, [{26}])
    ran(network, x)
    row.forward = lambda x: 2 * x
    try:
        want, _ = ran(network, x)
        with replay.only({26}):
            assert torch.equal(ran(network, x)[0], want)
    finally:
        del row.forward
