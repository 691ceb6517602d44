"""The parser seam: attention rows in every base family and task, in backbone and head, and what it refuses."""

from pathlib import Path

import pytest
import torch
from ultralytics import YOLO
from ultralytics.cfg import TASK2MODEL
from ultralytics.nn import tasks
from ultralytics.utils.checks import check_yaml

from tests.support import yamls
from yolo_attn import registry
from yolo_attn.errors import AttentionError
from yolo_attn.nn import CBAM, ECA, GAM, SE, Attention, CoordAtt
from yolo_attn.surgery import recipe
from yolo_attn.upstream import parse

FAMILIES = [
    "yolov3-tiny", "yolov3", "yolov5n", "yolov5n-p6", "yolov6n", "yolov8n", "yolov8n-p2", "yolov8n-ghost", "yolov9t",
    "yolov10n", "yolo11n", "yolo12n", "yolo26n", "yolo26n-p2", "rtdetr-l",
    "yolov8n-seg", "yolo11n-seg", "yolo26n-seg", "yolov8n-pose", "yolo11n-pose", "yolo26n-pose",
    "yolov8n-obb", "yolo11n-obb", "yolo26n-obb", "yolov8n-cls", "yolo11n-cls", "yolo26n-cls",
]  # fmt: skip


def base(name: str) -> dict:
    """Returns the model dict of a base model that Ultralytics ships."""
    return tasks.yaml_model_load(f"{name}.yaml")


def build(d: dict) -> torch.nn.Module:
    """Returns the layers of a model dict, on the meta device."""
    with torch.device("meta"):
        return tasks.parse_model(d, 3, verbose=False)[0]


def small(*rows: list, **keys) -> dict:
    """Returns a model dict whose backbone is a 64-channel convolution at width 0.5 followed by `rows`."""
    return {"nc": 2, "yaml_file": "my.yaml", "backbone": [[-1, 1, "Conv", [128, 3, 2]], *rows], "head": [], **keys,
            "depth_multiple": 1.0, "width_multiple": 0.5}  # fmt: skip


@pytest.mark.parametrize("family", FAMILIES)
def test_a_row_in_backbone_and_in_head_of_every_family(family):
    d = base(family)
    after, before_last = len(d["backbone"]) - 1, len(d["backbone"]) + len(d["head"]) - 2
    stock = build(base(family))
    with_rows = recipe.insert_after(recipe.insert_after(d, before_last, "ECA"), after, "ECA")
    layers = build(with_rows)
    found = {i: layer for i, layer in enumerate(layers) if isinstance(layer, Attention)}
    assert sorted(found) == [after + 1, before_last + 2]
    # Every other layer is what it was, in the same order, reading the same layers under their new numbers.
    renumbered = [i for i in range(len(layers)) if i not in found]
    assert [layer.type for layer in stock] == [layers[i].type for i in renumbered]
    assert [layer.np for layer in stock] == [layers[i].np for i in renumbered]


def test_families_are_what_ultralytics_ships():
    tasks_tried = {yamls.read(check_yaml(f"{name}.yaml"))["head"][-1][2].rstrip("26") for name in ["yolo26-pose"]}
    assert tasks_tried == {"Pose"}
    assert {"detect", "segment", "pose", "obb", "classify"} <= set(TASK2MODEL)


@pytest.mark.parametrize("task", ["", "-seg", "-pose", "-obb", "-cls"])
def test_every_task_runs_forward(task):
    d = base(f"yolo11n{task}")
    d = recipe.insert_after(d, len(d["backbone"]) - 1, "CoordAtt")
    path = Path(d["yaml_file"]).stem
    classes = {"": tasks.DetectionModel, "-seg": tasks.SegmentationModel, "-pose": tasks.PoseModel,
               "-obb": tasks.OBBModel, "-cls": tasks.ClassificationModel}  # fmt: skip
    model = classes[task](d, verbose=False).eval()
    assert any(isinstance(m, CoordAtt) for m in model.modules()), path
    model(torch.rand(1, 3, 64, 64))


def test_channels_come_from_the_parser_for_every_from():
    d = small([-1, 1, "Conv", [32, 3, 2]], [0, 1, "SE", []], [-2, 1, "GAM", []], [-1, 1, "CBAM", [{"reduction": 4}]])
    layers = build(d)
    assert [layers[i].channels for i in (2, 3, 4)] == [64, 16, 16]
    assert [type(layers[i]) for i in (2, 3, 4)] == [SE, GAM, CBAM]
    assert layers[4].reduction == 4


def test_the_first_row_may_be_attention():
    layers = build({"nc": 1, "backbone": [[-1, 1, "ECA", []], [-1, 1, "Conv", [8]]], "head": []})
    assert layers[0].channels == 3


@pytest.mark.parametrize(("depth", "expected"), [(1.0, 3), (0.33, 1), (2.0, 6)])
def test_repeats_are_scaled_by_depth_as_upstream(depth, expected):
    d = small([-1, 3, "ECA", []])
    d["depth_multiple"] = depth
    layer = build(d)[1]
    modules = [layer] if isinstance(layer, ECA) else list(layer)
    assert len(modules) == expected
    assert all(isinstance(m, ECA) and m.channels == 64 for m in modules)


def test_the_users_dict_is_left_alone():
    d = small([-1, 1, "GAM_Attention", [128, 128]])
    rows = [list(row) for row in d["backbone"]]
    build(d)
    assert [list(row) for row in d["backbone"]] == rows


def test_the_scale_letter_works_as_upstream():
    for letter, channels in {"n": 64, "s": 128, "x": 320}.items():
        layers = build(tasks.yaml_model_load(f"yolov5{letter}-gam.yaml"))
        assert layers[5].channels == channels


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ([-1, 1, "CBMA", []], r"my.yaml, row 1 \[-1, 1, CBMA, \[\]\]: unknown module 'CBMA', did you mean 'CBAM'\?"),
        ([-1, 1, "FooBar", []], "unknown module 'FooBar'; attention rows are GAM"),
        ([-1, 1, "GAM", [{"reduction": 3}]], r"row 1 .*divisible by reduction × groups, got 64 / \(3 × 1\)"),
        ([-1, 1, "GAM", [{"reduction": 128}]], "cannot reduce 64 channels by 128"),
        ([-1, 1, "CBAM", [{"kernel_size": 4}]], "needs an odd kernel_size, got 4"),
        ([-1, 1, "ECA", [{"kernel": 3}]], "no option 'kernel'; its options are kernel_size"),
        ([[-1, 0], 1, "ECA", []], "takes one input, not a list"),
        ([5, 1, "ECA", []], "input 5 is no earlier row; write -1 or a number from 0 to 0"),
        ([1, 1, "ECA", []], "input 1 is no earlier row"),
        ([-3, 1, "ECA", []], "input -3 is no earlier row"),
        ([-1, 1, "CBAM", [512]], "do not fit CBAM where 64 channels arrive"),
    ],
)
def test_what_cannot_be_built_is_refused_with_file_row_and_mend(row, message):
    with pytest.raises(AttentionError, match=message) as raised:
        build(small(row))
    assert "\n" not in str(raised.value)


def test_a_foreign_module_of_the_same_name_is_not_shadowed(monkeypatch):
    monkeypatch.setattr(tasks, "CBAM", torch.nn.Identity, raising=False)
    assert type(build(small([-1, 1, "CBAM", []]))[1]) is torch.nn.Identity
    assert isinstance(build(small([-1, 1, "yolo_attn.CBAM", []]))[1], CBAM)


def test_a_model_without_attention_takes_the_original_path(monkeypatch):
    monkeypatch.setattr(parse, "probe_channels", None)  # would fail if it were called
    build(base("yolov8n"))


def test_the_log_says_how_a_row_in_circulation_was_read(caplog):
    import logging

    from ultralytics.utils import LOGGER

    LOGGER.addHandler(caplog.handler)
    caplog.set_level(logging.INFO)
    tasks.parse_model(small([-1, 1, "GAM_Attention", [128, 128]]), 3, verbose=True)
    LOGGER.removeHandler(caplog.handler)
    read = "GAM(64, reduction=4, groups=1, channel_sigmoid=True, rank=0, depthwise=False)"
    assert f"row 1 [-1, 1, GAM_Attention, [128, 128]] read as {read}" in caplog.text


@pytest.mark.parametrize("name", ["yolov5n-gam.yaml", "yolo11n-cbam-head.yaml", "models/yolo26s-eca.yaml"])
def test_packaged_models_are_found_from_any_folder(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = YOLO(name)
    assert any(isinstance(m, Attention) for m in model.model.modules())


def test_the_users_own_file_comes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    yamls.write(tmp_path / "yolov5-gam.yaml", {"nc": 1, "backbone": [[-1, 1, "Conv", [8]]], "head": []})
    assert tasks.yaml_model_load("yolov5n-gam.yaml")["nc"] == 1


def test_gflops_count_the_attention():
    infos = {name: YOLO(f"{name}.yaml").model.info(imgsz=640) for name in ("yolov5n", "yolov5n-gam", "yolov5n-cbam")}
    flops = {name: info[3] for name, info in infos.items()}
    # GAM's published cost, attention.md's formula: 2 × N (2Cc + 98Cc) for its convolutions, on three maps.
    gam = sum(2 * hw**2 * 100 * c * c / 4 for hw, c in ((80, 64), (40, 128), (20, 256))) / 1e9
    assert flops["yolov5n-gam"] - flops["yolov5n"] == pytest.approx(gam, rel=0.02)
    assert flops["yolov5n-cbam"] > flops["yolov5n"] > 1


def test_every_operator_is_buildable_as_a_row():
    for info in registry.OPERATORS:
        assert isinstance(build(small([-1, 1, info.name, []]))[1], info.cls)
