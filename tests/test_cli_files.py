"""The commands that read and write a file: what is wrong with it is one line, and nothing of the user's is lost."""

import copy

import pytest

from tests.support import yamls
from yolo_attn import cli

MODEL = "nc: 1\nbackbone:\n- [-1, 1, Conv, [64, 3, 2]]\n- [-1, 1, CBAM, []]\nhead:\n- [[1], 1, Detect, [nc]]\n"


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty folder, in which the command is typed."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "mend"),
    [
        (["show", "yolov8n"], "a model YAML such as"),
        (["show", "best.onnx"], "a model YAML such as"),
        (["show", "truncated.pt"], "'truncated.pt' cannot be read"),
        (["show", "damaged.yaml"], "'damaged.yaml' cannot be read"),
        (["show", "yolov8n-cbam.yaml", "imgsz=33"], "multiple of 32"),
        (["show", "mine.yaml", "-o", "nodir/x.svg"], "nodir"),
        (["add", "mine.yaml", "cbam", "reduction=[1"], "'reduction=[1' is no value"),
        (["add", "mine.yaml", "cbam", "P5"], "write at=P5"),
        (["add", "mine.yaml", "cbam", "at=after:0", "-o", "mine.yaml"], "exist_ok=True"),
        (["export", "mine.yaml", "report=maybe"], "report must be True or False"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else "",
)
def test_what_is_wrong_with_a_file_is_one_line(arguments, mend, here, capsys):
    (here / "truncated.pt").write_bytes(b"PK\x03\x04 and no more")
    (here / "damaged.yaml").write_text("backbone: [[-1, 1, CBAM")
    (here / "mine.yaml").write_text(MODEL)
    (here / "best.onnx").write_bytes(b"nothing")
    before = {file.name: file.read_bytes() for file in here.iterdir()}
    assert cli.main(arguments) == 1
    error = [line for line in capsys.readouterr().err.splitlines() if "WARNING" not in line]
    assert len(error) == 1 and error[0].startswith("ERROR") and mend in error[0]
    assert {file.name: file.read_bytes() for file in here.iterdir()} == before


def test_a_file_is_replaced_where_it_may_be(here):
    for words in ([], ["exist_ok=True"]):
        assert cli.main(["add", "yolov8n.yaml", "cbam", "-o", "my.yaml", *words]) == 0
    assert [file.name for file in here.iterdir()] == ["my.yaml"]


def test_fix_writes_what_was_meant_and_says_it(here, capsys):
    assert cli.main(["add", "yolov8n.yaml", "cbam", "at=after:9", "-o", "right.yaml"]) == 0
    right = yamls.read(here / "right.yaml")
    head = copy.deepcopy(right["head"])
    head[-1][0] = [15, 18, 21]  # as in yolov8.yaml, where no row stands before them
    yamls.write(here / "wrong.yaml", {**right, "head": head})
    assert cli.main(["fix", "wrong.yaml", "-o", "mended.yaml"]) == 0
    assert "[16, 19, 22] instead of [15, 18, 21]" in capsys.readouterr().err
    assert yamls.read(here / "mended.yaml")["head"] == right["head"]
