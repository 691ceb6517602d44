"""Names without files are composed, and only where no file has that name."""

import pytest
from ultralytics.nn import tasks

from tests.support import yamls
from tests.support.bases import build
from yolo_attn import cli, registry
from yolo_attn.errors import AttentionError
from yolo_attn.surgery import names, recipe
from yolo_attn.upstream import compose


@pytest.mark.parametrize("operator", registry.names())
def test_every_operator_is_composed_by_name(operator):
    model = tasks.yaml_model_load(f"yolo26n-{operator.lower()}-P5-head-in-neck.yaml")
    assert model["scale"] == "n" and model["yaml_file"].startswith("yolo26n-")
    assert sum(isinstance(m, registry.get(operator).cls) for m in build(model)[0].modules()) > 4


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("yolo11n-cbma.yaml", "'yolo11n-cbma' names no model: 'cbma' is no attention, did you mean 'CBAM'"),
        ("yolo11n-cbam-nekc.yaml", "'nekc' is no place and no attention, did you mean 'neck'"),
        ("yolo11n-cbam-in.yaml", "'in' needs a place or a row behind it"),
        ("yolov8n-cls-eca-neck.yaml", "this model has no 'neck'"),
    ],
)
def test_names_nearly_right_get_one_line(name, message):
    with pytest.raises(AttentionError, match=message) as raised:
        tasks.yaml_model_load(name)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name", ["yolo11n-foo.yaml", "nobody-cbam.yaml", "some/where/yolo11n-cbam-P5.yaml"])
def test_other_names_keep_upstreams_error(name):
    with pytest.raises(FileNotFoundError):
        tasks.yaml_model_load(name)


def test_a_file_of_that_name_wins(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    yamls.write(tmp_path / "yolo11-cbam-P5.yaml", {"nc": 7, "backbone": [[-1, 1, "Conv", [8]]], "head": []})
    assert tasks.yaml_model_load("yolo11n-cbam-P5.yaml")["nc"] == 7
    assert tasks.yaml_model_load("yolo11n-cbam-P4.yaml")["nc"] == 80


def test_what_was_composed_is_said_once_with_the_command_that_saves_it(tmp_path, monkeypatch, log, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(compose, "_told", set())
    for _ in range(2):
        composed = tasks.yaml_model_load("yolo26s-cbam-P5-eca-head.yaml")
    said = [line for line in log.text.splitlines() if "composed" in line]
    assert len(said) == 1 and "yolo26s.yaml with CBAM at P5 and ECA at head" in said[0]
    command = said[0].partition("to save it: yolo-attn ")[2].split()
    assert cli.main(command) == 0
    saved = yamls.read(tmp_path / "yolo26s-cbam-P5-eca-head.yaml")
    # The file is that model: it is found before it would be composed.
    loaded = tasks.yaml_model_load("yolo26s-cbam-P5-eca-head.yaml")
    assert loaded == composed
    assert recipe.all_rows(saved) == recipe.all_rows(composed)


def test_shipped_files_are_what_their_names_compose():
    from yolo_attn.upstream.lookup import FOLDERS

    for file in FOLDERS["models"].glob("yolo26-*.yaml"):
        name = names.read(file.stem, compose.is_base)
        assert recipe.all_rows(compose.compose(name)) == recipe.all_rows(yamls.read(file))
