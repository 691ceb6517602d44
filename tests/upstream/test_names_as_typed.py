"""Names of models as people type them: underscores, capitals, words in another order, operators that are not here."""

import pytest
from ultralytics.nn import tasks

from tests.support import yamls
from yolo_attn.errors import AttentionError
from yolo_attn.surgery import names, recipe
from yolo_attn.upstream import compose


@pytest.mark.parametrize(
    ("typed", "written"),
    [
        ("yolov8n_cbam", "yolov8n-cbam"),
        ("yolo11n_CBAM", "yolo11n-cbam"),
        ("yolov8n-CBAM-P5", "yolov8n-cbam-P5"),
        ("YOLOv8n_CBAM_p5", "yolov8n-cbam-P5"),
        ("yolov8_cbam", "yolov8-cbam"),
        ("yolov8n_seg_coord_att_neck_P3", "yolov8n-seg-coordatt-neck-P3"),
        ("yolov5s-triplet_attention_in_backbone", "yolov5s-tripletattention-in-backbone"),
        ("yolov8-worldv2_se", "yolov8-worldv2-se"),
        ("yolov10n_eca_after_9-se_in_4", "yolov10n-eca-after-9-se-in-4"),
    ],
)
def test_underscores_and_case_do_not_matter(typed, written):
    assert compose.read(f"{typed}.yaml") == compose.read(f"{written}.yaml")
    assert names.read(typed, compose.is_base).stem == written


def test_what_is_composed_is_the_model_and_its_scale(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for typed in ("yolov8s_cbam.yaml", "yolov8s-CBAM.yaml", "YOLOv8s_CBAM.yaml"):
        model = tasks.yaml_model_load(typed)
        assert model.pop("yaml_file") == typed and model["scale"] == "s"
        assert model == {k: v for k, v in tasks.yaml_model_load("yolov8s-cbam.yaml").items() if k != "yaml_file"}


def test_the_users_own_file_comes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    own = {"nc": 7, "backbone": [[-1, 1, "Conv", [8]]], "head": []}
    yamls.write(tmp_path / "yolov8n_cbam.yaml", own)
    assert tasks.yaml_model_load("yolov8n_cbam.yaml")["nc"] == 7
    assert tasks.yaml_model_load("yolov8n-cbam.yaml")["nc"] == 80
    yamls.write(tmp_path / "yolov8n-eca-P5.yaml", own)
    assert tasks.yaml_model_load("yolov8n-eca-P5.yaml")["nc"] == 7
    assert tasks.yaml_model_load("yolov8n_ECA_P5.yaml")["nc"] == 7  # the same name, as its author did not type it


@pytest.mark.parametrize(
    ("typed", "written"),
    [
        ("yolov8n-cbam-obb", "yolov8n-obb-cbam"),
        ("yolov8n-cbam-seg", "yolov8n-seg-cbam"),
        ("yolov8n_cbam_pose_P5", "yolov8n-pose-cbam-P5"),
        ("yolov8-cbam-n", "yolov8n-cbam"),
        ("yolov8_n_cbam", "yolov8n-cbam"),
        ("yolov8-seg-cbam-n-neck", "yolov8n-seg-cbam-neck"),
        ("yolo11-se-x-obb-after-9", "yolo11x-obb-se-after-9"),
        ("rtdetr-cbam-l", "rtdetr-l-cbam"),
        ("cbam-yolov8n", "yolov8n-cbam"),
        ("ECA_P5_yolo26s", "yolo26s-eca-P5"),
        ("yoloe-11-cbam-s-seg", "yoloe-11s-seg-cbam"),
    ],
)
def test_words_in_another_order_get_the_right_name(typed, written):
    with pytest.raises(AttentionError, match=f"'{typed}' names no model; write {written}.yaml; a name is BASE"):
        tasks.yaml_model_load(f"{typed}.yaml")
    assert compose.read(f"{written}.yaml").stem == written
    assert recipe.attention_rows(compose.compose(compose.read(f"{written}.yaml")))


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("yolov8n-cpca", "names no model: CPCA is not in this package; it is channel and spatial attention, nearest"),
        ("yolo11s_focal_modulation_P5", "names no model: FocalModulation is not in this package"),
        ("yolov8n-seg-CAA", "names no model: CAA is not in this package"),
        ("yolov8n-criss-cross", "names no model: CrissCrossAttention is not in this package"),
        ("yolov8n-cbam-acmix", "'acmix' is no place and no attention: ACmix is not in this package"),
        ("yolov8n_cbma_P5", "names no model: 'cbma' is no attention, did you mean 'CBAM'"),
        ("yolov8n-cbam-ecaa", "'ecaa' is no place and no attention, did you mean 'ECA'"),
        ("yolov8n-cbam-in", "'in' needs a place or a row behind it"),
        ("yolov8n-cbam-obb-nowhere", "'obb' is no place and no attention"),
    ],
)
def test_what_is_no_name_is_one_line_with_the_mend(typed, said):
    with pytest.raises(AttentionError) as raised:
        tasks.yaml_model_load(f"{typed}.yaml")
    assert said in str(raised.value) and "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "typed",
    ["yolov8-world_v2", "yolo_nas_s", "yolov8n_custom", "yolov8n-ghost-v2", "se_resnet50", "nobody_cbam", "acmix",
     "coco8-cbam", "mobile_sam", "yolov8n-gsconv", "cbam", "eca_data"],
)  # fmt: skip
def test_other_names_are_upstreams(typed):
    with pytest.raises(FileNotFoundError):
        tasks.yaml_model_load(f"{typed}.yaml")
