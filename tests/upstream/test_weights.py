"""Pretrained weights follow their layers into models with attention, and `freeze` counts the base's layers."""

import copy
from pathlib import Path

import pytest
import torch
from torch import nn
from ultralytics import YOLO
from ultralytics.nn import tasks
from ultralytics.utils import LOGGER

import yolo_attn
from yolo_attn.export.parity import error
from yolo_attn.nn import SE, Attention
from yolo_attn.surgery import recipe
from yolo_attn.surgery.rows import write_start
from yolo_attn.tolerance import TOLERANCE
from yolo_attn.upstream import training
from yolo_attn.upstream.correspondence import is_attention_row

TENSORS = {"yolov5n": 427, "yolov8n": 355, "yolo11n-seg": 561, "yolo26n": 708, "yolov8n-cls": 158}


@pytest.fixture
def log(caplog):
    """What Ultralytics' logger said."""
    LOGGER.addHandler(caplog.handler)
    yield caplog
    LOGGER.removeHandler(caplog.handler)


def rows_of(base: str) -> dict:
    return tasks.yaml_model_load(f"{base}.yaml")


def with_attention(base: str | dict, *attention: tuple[str, str]) -> dict:
    """Returns a base with each (operator, place); a classifier, which has no head to put it before, after row 2."""
    model = rows_of(base) if isinstance(base, str) else base
    for name, place in attention:
        if place == "head" and model["head"][-1][2] == "Classify":
            model = recipe.insert_after(model, 2, name)
        else:
            model = yolo_attn.insert(model, name, at=place)
    return model


def build(rows: dict, nc: int | None = None) -> nn.Module:
    task = {"Classify": tasks.ClassificationModel, "Segment": tasks.SegmentationModel}
    cls = next((cls for kind, cls in task.items() if kind in rows["head"][-1][2]), tasks.DetectionModel)
    return cls(copy.deepcopy(rows), nc=nc, verbose=False)


def pretrained(base: str | dict, nc: int | None = None, seed: int = 1) -> nn.Module:
    """Returns a base in which no two tensors are alike, by chance or by initialisation."""
    model = build(rows_of(base) if isinstance(base, str) else base, nc)
    generator = torch.Generator().manual_seed(seed)
    for tensor in model.state_dict().values():
        if tensor.is_floating_point():
            tensor.copy_(torch.rand(tensor.shape, generator=generator) * 0.1 + 0.1)
    return model


def base_layers(model: nn.Module) -> list[nn.Module]:
    return [layer for layer in model.model if not is_attention_row(layer)]


def assert_same_base(model: nn.Module, source: nn.Module) -> None:
    """Compares every tensor of every base layer with that of the source's layer of the same number."""
    for k, (mine, theirs) in enumerate(zip(base_layers(model), base_layers(source), strict=True)):
        got, want = mine.state_dict(), theirs.state_dict()
        assert got.keys() == want.keys(), k
        assert all(torch.equal(got[key], want[key]) for key in want), k


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


def chain(*rows: list) -> dict:
    return {"nc": 2, "depth_multiple": 1.0, "width_multiple": 1.0, "backbone": [list(row) for row in rows],
            "head": [[-1, 1, "Classify", ["nc"]]]}  # fmt: skip


CONV = [-1, 1, "Conv", [16, 3]]


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
        source, model = pretrained(trained).eval(), build(loads).eval()
        model.load(source, verbose=False)
        assert torch.equal(model(x)[0], source(x)[0])


@pytest.mark.parametrize(("asked", "rows"), [(3, [0, 1, 3]), ([0, 2], [0, 3]), (99, [0, 1, 3, 4, 6]), ([7], [])])
def test_freeze_counts_the_layers_of_the_base(asked, rows):
    model = build(recipe.insert_after(recipe.insert_after(chain(*[CONV] * 4), 2, "SE"), 1, "SE"))
    assert [is_attention_row(layer) for layer in model.model] == [i in (2, 4) for i in range(7)]
    wanted = {3: [0, 1, 3], 99: [0, 1, 3, 5, 6]}.get(asked) if isinstance(asked, int) else rows
    assert training.translated(asked, model.model) == [str(row) for row in wanted]


def test_freeze_leaves_attention_inside_a_block_trainable():
    block = nn.Sequential(nn.Conv2d(3, 8, 1), nn.ModuleDict({"cv": nn.Conv2d(8, 8, 1), "attn": SE(8, reduction=2)}))
    layers = nn.Sequential(nn.Identity(), SE(8, reduction=2), nn.ModuleDict({"m": block}))
    assert training.translated([1], layers) == ["2.m.0", "2.m.1.cv"]


TINY = {
    "data": "shapes.yaml", "imgsz": 64, "fraction": 0.1, "batch": 8, "workers": 0, "device": "cpu",
    "nbs": 8, "warmup_epochs": 0, "optimizer": "SGD", "val": False, "plots": False, "verbose": False,
}  # fmt: skip


@pytest.fixture(scope="module")
def base_file(tmp_path_factory) -> Path:
    torch.manual_seed(0)
    file = tmp_path_factory.mktemp("weights") / "base.pt"
    YOLO("yolov5n.yaml").save(file)
    return file


class Interrupted(Exception):
    pass


def interrupt(trainer) -> None:
    raise Interrupted


def test_training_from_pretrained_weights_freezing_resuming_fusing(base_file, tmp_path, datasets, log, monkeypatch):
    """The whole way: one epoch of two with pretrained=… and freeze=…, interrupted, resumed, validated, fused."""
    base = YOLO(base_file).model
    started = {}

    def note(trainer):
        started["rows"] = copy.deepcopy(trainer.model.yaml["backbone"])
        started["base"] = [copy.deepcopy(layer.state_dict()) for layer in base_layers(trainer.model)]
        started["free"] = {k for k, p in trainer.model.named_parameters() if p.requires_grad}
        started["blend"] = [m.blend.detach().clone() for m in trainer.model.modules() if isinstance(m, Attention)]
        optimised = {id(p) for group in trainer.optimizer.param_groups for p in group["params"]}
        started["optimised"] = all(id(p) in optimised for p in trainer.model.parameters())

    yolo = YOLO("yolov5n-cbam.yaml")
    yolo.add_callback("on_train_start", note)
    yolo.add_callback("on_model_save", interrupt)
    with pytest.raises(Interrupted):
        yolo.train(epochs=2, pretrained=base_file, freeze=10, project=tmp_path, name="t", **TINY)
    for layer, source in zip(started["base"][:-1], base_layers(base), strict=False):  # the head has other classes
        assert all(torch.equal(layer[key], value.float()) for key, value in source.state_dict().items())
    assert started["rows"][5] == [-1, 1, "CBAM", [{"start": "identity"}]]
    assert [blend.tolist() for blend in started["blend"]] == [[0, 0]] * 3 and started["optimised"]
    frozen = {int(k.split(".")[1]) for k, _ in yolo.trainer.model.named_parameters() if k not in started["free"]}
    assert frozen == {0, 1, 2, 3, 4, 6, 7, 9, 10, 12, 27}  # rows 5, 8, 11 are attention; 27 has Ultralytics' fixed dfl
    assert yolo.trainer.args.freeze == 10
    assert (
        "Transferred 421/427 base tensors" in log.text and "freeze=10 counts the layers without attention" in log.text
    )

    live = [m for m in yolo.trainer.model.modules() if isinstance(m, Attention)]
    assert all((m.blend != 0).all() for m in live)
    monkeypatch.setenv("ULTRALYTICS_SAFE_LOAD", "1")
    interrupted = YOLO(yolo.trainer.last)
    blends = [m.blend.clone() for m in interrupted.model.modules() if isinstance(m, Attention)]
    interrupted.add_callback("on_train_start", note)
    log.clear()
    interrupted.train(resume=True)
    assert interrupted.trainer.epoch == 1 and interrupted.trainer.args.freeze == 10
    assert all(torch.allclose(a, b, rtol=1e-2) for a, b in zip(started["blend"], blends, strict=True))
    assert "Transferred 427/427 base tensors, 33 of attention" in log.text
    assert "starts as the identity" not in log.text

    x = torch.rand(1, 3, 64, 64)
    model = YOLO(interrupted.trainer.last).model.float().eval()
    assert model.yaml["backbone"][5] == [-1, 1, "CBAM", [{"start": "identity"}]]
    before = model(x)[0]
    after = model.fuse(verbose=False)(x)[0]
    assert error(after.numpy(), before.detach().numpy()) <= TOLERANCE["float32"]


def test_loading_by_hand_then_training(base_file, tmp_path, datasets, log):
    yolo = YOLO("yolov5n-eca-head.yaml").load(base_file)
    assert "Transferred 427/427 base tensors, 6 new" in log.text
    seen = []
    yolo.add_callback("on_train_start", lambda trainer: seen.append(copy.deepcopy(trainer.model).float()))
    yolo.train(epochs=1, project=tmp_path, name="t", **TINY)
    x = torch.rand(1, 3, 64, 64)
    model = seen[0].eval()
    plain = build(rows_of("yolov5n"), nc=model.yaml["nc"]).eval()
    plain.load(model, verbose=False)
    assert torch.equal(plain(x)[0], model(x)[0])


def test_from_scratch_attention_starts_as_in_its_paper(tmp_path, datasets, log):
    yolo = YOLO("yolov5n-eca.yaml")
    yolo.train(epochs=1, project=tmp_path, name="t", **TINY)
    assert "no pretrained weights: attention starts as in its paper in rows 5, 8, 11" in log.text
    assert not any("blend" in key for key in yolo.trainer.model.state_dict())


@pytest.mark.parametrize(("base", "tensors"), [("yolov5n", 427), ("yolov8n", 355), ("yolo11n", 499), ("yolo26n", 708)])
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
    plain, x = build(rows_of(base)).eval(), torch.rand(1, 3, 64, 64)
    model.load(plain, verbose=False)
    assert torch.equal(model.eval()(x)[0], plain(x)[0])  # every gate starts as the identity


def test_insert_says_how_attention_starts():
    model = yolo_attn.insert("yolov8n.yaml", "CBAM", at="P5", reduction=8, start="identity")
    assert [-1, 1, "CBAM", [{"reduction": 8, "start": "identity"}]] in model["backbone"]
    with pytest.raises(ValueError, match="option 'start' of CBAM must be identity or paper, got 'zero'"):
        yolo_attn.insert("yolov8n.yaml", "CBAM", at="P5", start="zero")
