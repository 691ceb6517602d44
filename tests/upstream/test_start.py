"""How attention starts: as the identity where weights were loaded or a row says so, else as in its paper."""

import copy

import pytest
import torch
from ultralytics.nn import tasks

from tests.support.networks import CONV, build, chain, pretrained
from tests.support.operators import OPTIONS, assert_close
from tests.support.sensitive import sensitive
from yolo_attn.export.parity import error
from yolo_attn.surgery import recipe
from yolo_attn.surgery.rows import write_start
from yolo_attn.upstream import parse


def test_a_row_says_how_it_starts(log):
    rows = [[-1, 1, "Conv", [32, 1]], [-1, 1, "CBAM", [32, 7, {"start": "identity"}]],
            [-1, 2, "SE", [{"reduction": 4, "start": "identity"}]], [-1, 1, "ECA", [{"start": "paper"}]],
            [-1, 1, "ECA", []]]  # fmt: skip
    layers, _ = parse.parse_model(
        {"nc": 1, "depth_multiple": 1.0, "width_multiple": 1.0, "backbone": rows, "head": []}, 3
    )
    cbam, se, eca, other = layers[1:]
    assert cbam.blend.tolist() == [0, 0] and cbam.kernel_size == 7
    assert [m.blend.tolist() for m in se] == [[0], [0]] and se[0].reduction == 4
    assert eca.blend is None and other.blend is None
    assert cbam.np == sum(p.numel() for p in cbam.parameters())
    assert "{start: identity} in rows 1, 2" in log.text
    assert rows[1][3] == [32, 7, {"start": "identity"}]


@pytest.mark.parametrize("start", ["Identity", True, 1, "zero"])
def test_another_start_is_refused_in_one_line(start):
    rows = [[-1, 1, "Conv", [32, 1]], [-1, 1, "CBAM", [{"start": start}]]]
    with pytest.raises(ValueError, match=r"row 1 .*option 'start' of CBAM must be identity or paper, got") as refused:
        parse.parse_model({"nc": 1, "yaml_file": "m.yaml", "backbone": rows, "head": []}, 3, verbose=False)
    assert "\n" not in str(refused.value)


def test_the_start_that_a_row_names_prevails(log):
    source = pretrained(chain(*[CONV] * 3))
    for start, blend in (("paper", None), ("identity", [0.0]), (None, [0.0])):
        rows = recipe.insert_after(chain(*[CONV] * 3), 1, "SE")
        write_start(rows["backbone"][2], start)
        model = build(rows)
        model.load(source)
        found = model.model[2].blend
        assert (found if found is None else found.tolist()) == blend
        assert rows["backbone"][2][3] == ([{"start": start}] if start else [])  # the caller's dict is left alone
        assert model.yaml["backbone"][2][3] == [{"start": start or "identity"}]
    assert "attention starts as in its paper in row 2, as the model says" in log.text


def test_attention_goes_on_as_its_weights_were_trained():
    rows = recipe.insert_after(chain(*[CONV] * 3), 1, "SE")
    rows_identity = copy.deepcopy(rows)
    write_start(rows_identity["backbone"][2], "identity")
    x = torch.rand(1, 3, 8, 8)
    for trained, loads in ((rows, rows_identity), (rows_identity, rows), (rows_identity, rows_identity), (rows, rows)):
        source, model = sensitive(build(trained), size=16), build(loads).eval()
        model.load(source, verbose=False)
        assert torch.equal(model(x)[0], source(x)[0])


def test_a_network_with_every_operator_keeps_the_output_of_its_base():
    base = tasks.yaml_model_load("yolov8n.yaml")
    torch.manual_seed(0)
    plain = sensitive(tasks.DetectionModel(copy.deepcopy(base), verbose=False))
    rows = base
    for row, name in sorted(
        ((1 + k % 21, name) for k, name in enumerate(OPTIONS)), reverse=True
    ):  # the 22nd is the head
        rows = recipe.insert_after(rows, row, name)
    model = tasks.DetectionModel(rows, verbose=False).eval()
    x = torch.rand(1, 3, 64, 64)
    assert error(model(x)[0].detach().numpy(), plain(x)[0].detach().numpy()) > 0.1
    model.load(plain, verbose=False)
    assert_close(model(x)[0], plain(x)[0])
    assert_close(copy.deepcopy(model).fuse(verbose=False)(x)[0], plain(x)[0])
    assert_close(model.train()(x)["scores"], plain.train()(x)["scores"])
