"""Pretrained weights follow their layers into models with attention."""

import pytest
import torch

import yolo_attn
from tests.support.networks import (
    CONV,
    assert_same_base,
    base_layers,
    build,
    chain,
    pretrained,
    rows_of,
    with_attention,
)
from tests.support.sensitive import sensitive
from yolo_attn.nn import Attention
from yolo_attn.surgery import recipe
from yolo_attn.upstream.correspondence import is_attention_row

TENSORS = {"yolov5n": 427, "yolov8n": 355, "yolo11n-seg": 561, "yolo26n": 708, "yolov8n-cls": 158}


@pytest.mark.parametrize("base", list(TENSORS))
def test_every_tensor_of_the_base_follows(base, log):
    source = pretrained(base)
    assert len(source.state_dict()) == TENSORS[base]
    for attention in ([("CBAM", "head")], [("ECA", "backbone"), ("SE", "head")]):
        model = build(with_attention(base, *attention))
        log.clear()
        model.load(source)
        assert_same_base(model, source)
        new = sum(len(m.state_dict()) for m in model.modules() if isinstance(m, Attention))
        assert f"Transferred {TENSORS[base]}/{TENSORS[base]} base tensors, {new} new" in log.text
        assert "items from pretrained weights" not in log.text
        assert "attention starts as the identity in rows" in log.text or "in row " in log.text


def test_a_model_without_attention_takes_the_original_path(log):
    source, model = pretrained("yolov5n"), build(rows_of("yolov5n"))
    model.load(source)
    assert "Transferred 427/427 items from pretrained weights" in log.text and "yolo_attn" not in log.text
    assert_same_base(model, source)


def test_no_layer_receives_anothers_weights_where_all_shapes_are_equal():
    base = chain([-1, 1, "Conv", [16, 1]], *[CONV] * 4)
    source = pretrained(base)
    for position in range(1, 5):
        model = build(recipe.insert_after(base, position, "SE"))
        by_key = {k: v for k, v in source.state_dict().items() if k in model.state_dict()}
        wrong = [
            k for k, v in by_key.items() if v.shape == model.state_dict()[k].shape and k >= f"model.{position + 2}"
        ]
        assert wrong or position > 2  # what Ultralytics alone would copy into another layer
        model.load(source, verbose=False)
        assert_same_base(model, source)


def test_attention_follows_onto_the_same_operator_at_the_same_place_only(log):
    base = chain(*[CONV] * 4)
    trained = pretrained(recipe.insert_after(recipe.insert_after(base, 2, "SE"), 0, "SE"))
    model = build(recipe.insert_after(recipe.insert_after(base, 2, "SE"), 1, "SE"))  # one in place, one elsewhere
    model.load(trained)
    assert_same_base(model, trained)
    elsewhere, in_place = [layer for layer in model.model if is_attention_row(layer)]
    theirs = [layer for layer in trained.model if is_attention_row(layer)]
    assert torch.equal(in_place.mlp[0].weight, theirs[1].mlp[0].weight) and in_place.blend is None
    assert not torch.equal(elsewhere.mlp[0].weight, theirs[0].mlp[0].weight) and elsewhere.blend.tolist() == [0]
    assert "base tensors, 4 of attention, 5 new" in log.text and "as the identity in row 2," in log.text
    other = build(recipe.insert_after(recipe.insert_after(base, 2, "FcaNet"), 0, "SE"))  # FcaNet has keys of SE's names
    other.load(trained)
    assert torch.equal(other.model[1].mlp[0].weight, trained.model[1].mlp[0].weight)
    assert not torch.equal(other.model[4].mlp[0].weight, trained.model[4].mlp[0].weight)
    narrower = recipe.insert_after(base, 2, "SE")
    narrower["backbone"][3][3] = [{"reduction": 4}]
    narrow = build(narrower)
    narrow.load(trained)
    assert narrow.model[3].blend.tolist() == [0]


def test_from_a_checkpoint_with_other_attention_to_another_and_back():
    trained = pretrained(with_attention("yolov8n", ("CBAM", "backbone")))
    model = build(with_attention("yolov8n", ("ECA", "head"), ("CBAM", "backbone")))
    model.load(trained, verbose=False)
    assert_same_base(model, trained)
    pairs = zip(*([m for m in net.modules() if type(m).__name__ == "CBAM"] for net in (model, trained)), strict=True)
    assert all(torch.equal(a.state_dict()[key], b.state_dict()[key]) for a, b in pairs for key in b.state_dict())
    plain = build(rows_of("yolov8n"))
    plain.load(trained, verbose=False)
    assert_same_base(plain, trained)


def test_weights_from_another_base_stay_with_layers_of_their_kind(log):
    source, model = pretrained("yolov8n"), build(with_attention("yolov5n", ("SE", "backbone")))
    model.load(source)
    mine, theirs = base_layers(model), base_layers(source)
    assert torch.equal(mine[1].conv.weight, theirs[1].conv.weight)  # Conv in both
    assert not torch.equal(mine[2].cv1.conv.weight, theirs[2].cv1.conv.weight)  # C3 here, C2f there, of equal shape
    assert "nothing is transferred to rows 2, 4, 7" in log.text


def test_a_segmentation_model_takes_a_detector_as_ultralytics_does():
    source, model = pretrained("yolov8n"), build(with_attention("yolov8n-seg", ("SE", "head")))
    model.load(source, verbose=False)
    assert torch.equal(model.model[-1].cv2[0][2].weight, source.model[-1].cv2[0][2].weight)


def test_classes_are_found_by_name_as_ultralytics_does(log):
    source = pretrained("yolov8n", nc=4)
    source.names = dict(enumerate(["square", "circle", "star", "ring"]))
    plain, model = build(rows_of("yolov8n"), nc=2), build(with_attention("yolov8n", ("CBAM", "backbone")), nc=2)
    for target in (plain, model):
        target.names = {0: "Star", 1: "square"}
        target.load(source)
    got, want = model.model[-1].cv3[0][2], source.model[-1].cv3[0][2]
    assert torch.equal(got.weight[0], want.weight[2]) and torch.equal(got.bias[1], want.bias[0])
    assert_same_base(model, plain)
    assert log.text.count("Remapped 2/2 cls head rows") == 2
    assert "Transferred 355/355 items" in log.text and "Transferred 355/355 base tensors" in log.text


def test_another_number_of_classes_leaves_the_last_layer_of_the_head_alone(log):
    model = build(with_attention("yolov8n", ("SE", "head")), nc=3)
    model.load(pretrained("yolov8n"))
    assert "Transferred 349/355 base tensors" in log.text


def test_class_names_follow_a_complete_transfer():
    source = pretrained("yolov8n", nc=2)
    source.names = {0: "circle", 1: "star"}
    model = build(with_attention("yolov8n", ("SE", "head")), nc=2)
    model.load(source, verbose=False)
    assert model.names == source.names
    other = build(with_attention("yolov8n", ("SE", "head")), nc=3)
    other.load(source, verbose=False)
    assert other.names == {0: "0", 1: "1", 2: "2"}


def test_loading_leaves_the_source_as_it_was():
    source = pretrained(with_attention("yolov8n", ("CBAM", "backbone")))
    keys, layers = list(source.state_dict()), list(source.model)
    build(with_attention("yolov8n", ("SE", "backbone"))).load(source, verbose=False)
    assert list(source.state_dict()) == keys and list(source.model) == layers and source.model[5].f == -1


@pytest.mark.parametrize(
    ("base", "tensors"),
    [
        ("yolov5n", 427), ("yolov8n", 355), ("yolo11n", 499), ("yolo26n", 708), ("yolov6n", 335),
        ("yolov8n-ghost", 559), ("yolov10s", 619), ("yolo12n", 691),
    ],
)  # fmt: skip
def test_every_tensor_follows_into_blocks_with_attention_inside(base, tensors, log):
    source = pretrained(base)
    model = build(yolo_attn.insert(rows_of(base), "SE", at=["in:backbone", "head"], reduction=4))
    model.load(source)
    assert f"Transferred {tensors}/{tensors} base tensors" in log.text
    wanted = {
        f"model.{mine.i}.{name}": tensor
        for layer, mine in zip(source.model, base_layers(model), strict=True)
        for name, tensor in layer.state_dict().items()
    }
    got = model.state_dict()
    assert len(wanted) == tensors and all(torch.equal(got[key], tensor) for key, tensor in wanted.items())
    plain, x = sensitive(build(rows_of(base))), torch.rand(1, 3, 64, 64)
    model.load(plain, verbose=False)
    assert torch.equal(model.eval()(x)[0], plain(x)[0])  # every gate starts as the identity
