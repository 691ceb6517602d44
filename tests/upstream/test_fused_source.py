"""A checkpoint that was fused for inference is loaded as the same function, in layers that can be trained."""

import copy

import pytest
import torch
from torch import nn
from ultralytics import YOLO
from ultralytics.nn import tasks
from ultralytics.nn.modules.conv import Conv2

from tests.support.operators import CASES, IDS
from tests.support.sensitive import sensitive
from tests.support.tiny import TINY, build, detector, image, written
from yolo_attn.export.parity import error
from yolo_attn.nn import Attention, Deployed
from yolo_attn.surgery import recipe
from yolo_attn.tolerance import TOLERANCE
from yolo_attn.upstream.unfuse import is_folded, unfused

FUSED = "the source is fused for inference: its batch norms are folded into the convolutions"


def output(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
    found = model.eval()(x)
    while isinstance(found, tuple | list):
        found = found[0]
    return found.detach()


def assert_same_output(model: nn.Module, source: nn.Module) -> None:
    want = output(source, image())
    assert want.std() > 1e-3
    assert error(output(model, image()).numpy(), want.numpy()) <= TOLERANCE["float32"]


def plain(base: str) -> nn.Module:
    kinds = {"-seg": tasks.SegmentationModel, "-obb": tasks.OBBModel, "tr-l": tasks.RTDETRDetectionModel}
    torch.manual_seed(0)
    return sensitive(kinds.get(base[-4:], tasks.DetectionModel)(f"{base}.yaml", verbose=False))


# yolov9t has RepConv, yolov10s RepVGGDW and a head of two branches, yolov8n-seg ConvTranspose
@pytest.mark.parametrize("base", ["yolov5n", "yolov8n-seg", "yolov9t", "yolov10s", "yolo11n-obb"])
def test_the_fold_is_undone_to_the_same_function(base):
    model = plain(base)
    fused = copy.deepcopy(model).fuse(verbose=False)
    before = {key: value.clone() for key, value in fused.state_dict().items()}
    undone = unfused(fused)
    assert is_folded(fused) and not is_folded(undone) and not is_folded(model)
    assert_same_output(undone, fused)
    assert fused.state_dict().keys() == before.keys()  # the source is left as it was
    assert all(torch.equal(value, before[key]) for key, value in fused.state_dict().items())
    lost = set(model.state_dict()) - set(undone.state_dict())
    assert not any("one2one" not in key for key in lost)  # a head's second branch is not in a fused model
    assert all(
        undone.state_dict()[key].shape == value.shape for key, value in model.state_dict().items() if key not in lost
    )


def test_a_second_convolution_that_was_added_comes_back():
    model, block = tasks.BaseModel(), Conv2(4, 4).eval()
    for tensor in (block.bn.running_mean, block.bn.bias):
        nn.init.normal_(tensor)
    for tensor in (block.bn.running_var, block.bn.weight):
        nn.init.uniform_(tensor, 0.5, 2)
    model.model = nn.Sequential(block)
    x, keys = torch.randn(1, 4, 5, 5), set(model.state_dict())
    want = model.model(x)
    undone = unfused(model.fuse(verbose=False))
    assert set(undone.state_dict()) == keys
    assert torch.allclose(undone.model(x), want, atol=1e-5)


@pytest.mark.parametrize("attention", [None, "SE", "CBAM"])
def test_a_fused_base_follows_into_a_model_with_attention(attention, log):
    rows = tasks.yaml_model_load("yolov5n.yaml")
    if attention:  # in the source, too, at another place than in the model
        rows = recipe.insert_after(rows, 6, attention)
    source = sensitive(build(rows)).fuse(verbose=False)
    model = build(recipe.insert_after(rows, 2, "ECA"))
    model.load(source)
    assert_same_output(model, source)
    assert log.text.count(FUSED) == 1 and "Transferred 427/427 base tensors" in log.text
    assert "so that the pretrained network keeps its output" in log.text
    assert "Pretrained weights are fused" not in log.text  # Ultralytics' own line, of what it could not load


@pytest.mark.parametrize(("name", "options"), CASES, ids=IDS)
@pytest.mark.parametrize("start", ["paper", "identity"])
def test_deploy_forms_go_on_as_they_are(name, options, start, log):
    rows = detector((1, [name, [{**options, "start": start}]]), widths=(32, 32, 32))
    source, model = sensitive(build(rows)).fuse(verbose=False), build(rows)
    model.load(source)
    assert_same_output(model, source)
    assert "attention in row 2 goes on in the fused source's deploy form" in log.text
    layer = model.model[2]
    assert isinstance(layer, Deployed) and (layer.i, layer.f) == (2, -1)
    assert all(p.requires_grad for p in layer.parameters()) and layer is not source.model[2]


def test_a_deploy_form_of_other_options_is_left_behind_with_a_word(log):
    def rows(product: bool) -> dict:
        return detector((1, ["BAM", [{"reduction": 4, "product": product}]]))

    model = build(rows(False))
    model.load(sensitive(build(rows(True))).fuse(verbose=False))
    assert (
        "attention in row 2 is new, as it is another function: product is False here and True in the source" in log.text
    )
    assert isinstance(model.model[2], Attention) and model.model[2].blend.tolist() == [0]


def test_attention_inside_blocks_goes_on_in_its_deploy_form(log):
    rows = tasks.yaml_model_load("yolov8n.yaml")
    rows["backbone"][4] = [-1, 6, "C2f_CBAM", [256, True]]
    source, model = sensitive(build(rows)).fuse(verbose=False), build(rows)
    model.load(source)
    assert_same_output(model, source)
    assert all(isinstance(m.attn, Deployed) for m in model.model[4].m)


def test_a_fused_model_that_loads_stays_fused():
    rows = detector((1, "SE"))
    source, model = (sensitive(build(rows), seed=seed).fuse(verbose=False) for seed in (0, 1))
    model.load(source, verbose=False)
    assert_same_output(model, source)
    model.load(sensitive(build(rows), seed=2), verbose=False)
    assert isinstance(model.model[2], Deployed) and model.yaml["backbone"][2] == [-1, 1, "SE", []]


def test_the_stock_path_is_left_to_ultralytics(log):
    source = sensitive(build(detector())).fuse(verbose=False)
    build(detector()).load(source)
    assert "Pretrained weights are fused" in log.text and "yolo_attn" not in log.text


def test_a_fused_checkpoint_trains_on_and_is_saved_and_read(tmp_path, datasets, log):
    rows = detector((0, ["CBAM", [{"reduction": 4}]]), nc=4)
    file = written(rows, tmp_path / "tiny.yaml")
    yolo = YOLO(file)
    sensitive(yolo.model)
    yolo.model.fuse(verbose=False)
    yolo.save(tmp_path / "fused.pt")
    started, before = [], YOLO(tmp_path / "fused.pt").model.float()
    again = YOLO(tmp_path / "fused.pt")
    again.add_callback("on_train_start", lambda trainer: started.append(copy.deepcopy(trainer.model)))
    again.train(epochs=1, project=tmp_path, name="t", **TINY)
    assert_same_output(started[0], before)
    assert all(p.requires_grad for name, p in started[0].named_parameters() if "dfl" not in name)
    trained = YOLO(again.trainer.last).model.float()
    assert isinstance(trained.model[1], Deployed) and isinstance(trained.model[0].bn, nn.BatchNorm2d)
    assert not torch.equal(output(trained, image()), output(before, image()))
    log.clear()
    resumed = build(rows)
    resumed.load(trained)
    assert_same_output(resumed, trained)
