"""`insert` and `remove`, in Python and as commands."""

import pytest
import yaml
from ultralytics.nn import tasks

import yolo_attn
from tests.support.bases import base
from yolo_attn import cli
from yolo_attn.surgery import recipe
from yolo_attn.view import table


def test_head_attention_is_read_by_the_head_alone():
    model = yolo_attn.insert("yolo26n.yaml", "eca", at="head")
    rows = recipe.all_rows(model)
    assert [row[:3] for row in rows[23:26]] == [[16, 1, "ECA"], [19, 1, "ECA"], [22, 1, "ECA"]]
    assert rows[26][0] == [23, 24, 25]
    assert not {23, 24, 25} & {s for i in range(26) for s in recipe.sources(rows, i)}


def test_several_operators_one_after_the_other():
    model = yolo_attn.insert("yolo11n.yaml", "eca", at=["P5", "head-P3"])
    model = yolo_attn.insert(model, "cbam", at="backbone-P5,in:neck", reduction=8)
    rows = recipe.all_rows(model)
    assert [row[2] for row in rows[8:11]] == ["C3k2", "ECA", "CBAM"]
    assert sum("C3k2_CBAM" in row for row in rows) == 4
    assert rows[10][3] == [{"reduction": 8}]
    assert yolo_attn.remove(model) == tasks.yaml_model_load("yolo11n.yaml")


def test_insert_says_how_attention_starts():
    model = yolo_attn.insert("yolov8n.yaml", "CBAM", at="P5", reduction=8, start="identity")
    assert [-1, 1, "CBAM", [{"reduction": 8, "start": "identity"}]] in model["backbone"]
    with pytest.raises(ValueError, match="option 'start' of CBAM must be identity or paper, got 'zero'"):
        yolo_attn.insert("yolov8n.yaml", "CBAM", at="P5", start="zero")


def test_add_show_and_remove(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["add", "yolo26s.yaml", "cbam", "at=P5,head", "reduction=8", "-o", "my.yaml"]) == 0
    assert cli.main(["show", "my.yaml"]) == 0
    shown = capsys.readouterr().out
    assert "my.yaml, scale s, 640×640" in shown  # the scale of the base is the file's first, its default
    assert sum(line.startswith(table.MARK) for line in shown.splitlines()) == 4
    assert "attention adds" in shown and "base: 24 rows" in shown
    assert cli.main(["remove", "my.yaml"]) == 0
    text = capsys.readouterr().out
    assert recipe.all_rows(yaml.safe_load(text)) == recipe.all_rows(base("yolo26s")[0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["add", "yolo26n.yaml"], "'yolo-attn add' also needs attention=..."),
        (["add", "yolo26n.yaml", "cbma"], "unknown attention 'cbma', did you mean 'CBAM'?"),
        (["add", "yolo26n.yaml", "cbam", "-o", "my.txt"], "'my.txt' is no name for a model: write -o my.yaml"),
        (["add", "yolo26n.yaml", "cbam", "reduction=x"], "must be a whole number"),
        (["show", "nope.yaml"], "'nope.yaml' does not exist"),
        (["show", "yolo26n.yaml", "-o", "my.jpg"], "write -o my.svg, my.png or my.pdf"),
        (["show", "yolo26n.yaml", "imgsz=big"], "imgsz must be a whole number from 32 to 8192, got 'big'"),
    ],
)
def test_what_is_typed_wrong_is_one_line(arguments, message, capsys):
    assert cli.main(arguments) == 1
    error = capsys.readouterr().err.strip()
    assert message in error and error.startswith("ERROR") and "\n" not in error
