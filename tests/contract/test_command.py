"""`yolo-attn check`: what it can be asked about, what it prints, and its exit status."""

import subprocess
import sys
from pathlib import Path

import pytest

from yolo_attn import cli
from yolo_attn.contract import suite

COMMAND = Path(sys.executable).with_name("yolo-attn")
RIGHT = """
from torch import nn


class MyAttention(nn.Module):
    \"\"\"Weighs each channel by its mean.\"\"\"

    def __init__(self, channels: int, reduction: int = 4):
        super().__init__()
        hidden = channels // reduction
        self.layers = nn.Sequential(nn.Conv2d(channels, hidden, 1), nn.SiLU(), nn.Conv2d(hidden, channels, 1))

    def forward(self, x):
        return x * self.layers(x.mean((2, 3), keepdim=True)).sigmoid()
"""
WRONG = RIGHT.replace("return x *", "print('so')\n        return x[:, :, ::2] *")


@pytest.fixture
def few(monkeypatch):
    """Two checks and a note in place of all: what they find is looked at elsewhere."""
    monkeypatch.setattr(suite, "CHECKS", {name: suite.CHECKS[name] for name in ("map", "per image")})
    monkeypatch.setattr(suite, "ADVICE", {"optimizer": suite.ADVICE["optimizer"]})


def test_a_file_is_checked_in_one_line_a_check(tmp_path):
    """The command itself, on a file that a folder has: every check, its cost, and nothing else printed."""
    (tmp_path / "my_attention.py").write_text(RIGHT)
    words = [COMMAND, "check", "my_attention.py", "channels=16", "reduction=8"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0 and not done.stderr, done.stderr + done.stdout
    head, *lines, empty, verdict, end = done.stdout.split("\n")[:-1]
    assert head == "MyAttention on maps of 16 channels, reduction=8" and verdict == "All checks passed ✅"
    assert [line[:20].strip() for line in lines] == [*suite.CHECKS, *suite.ADVICE, "cost"]
    marks = {line[:20].strip(): line[20:22].strip() for line in lines}
    assert [name for name, mark in marks.items() if mark != suite.KEPT] == ["deploy folds"]  # which it has not
    assert "on 256×20×20: 16,672 parameters" in lines[-1] and "of a 3×3 convolution's time" in lines[-1]


def test_what_is_broken_fails_the_command(few, tmp_path, capsys):
    (tmp_path / "shrinking_attention.py").write_text(WRONG)
    assert cli.main(["check", str(tmp_path / "shrinking_attention.py")]) == 1
    said = capsys.readouterr()
    head, first, *others = said.out.splitlines()
    assert first.startswith("map                 ❌ on 1×64×20×20 in evaluation")
    assert "it returns 1×64×10×20: forward takes one map" in first
    assert all("–" in line and "before 'map' is mended" in line for line in others[:2])
    assert "1 of 2 checks failed ❌" in said.out and "so" not in said.out.split() and not said.err


@pytest.mark.parametrize(
    ("words", "head"),
    [
        (["cbam"], "CBAM on maps of 64 channels"),
        (["attention=SE", "channels=16", "reduction=4"], "SE on maps of 16 channels, reduction=4"),
        (["eca.k5"], "ECA on maps of 64 channels, kernel_size=5"),
        (["somebodys.attention"], "MyAttention on maps of 64 channels"),
    ],
)
def test_an_operators_name_and_a_module_too(few, words, head, tmp_path, monkeypatch, capsys):
    (tmp_path / "somebodys").mkdir()
    (tmp_path / "somebodys" / "attention.py").write_text(RIGHT)
    monkeypatch.syspath_prepend(tmp_path)
    assert cli.main(["check", *words]) == 0
    assert capsys.readouterr().out.splitlines()[0] == head


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["no_such.py"], "there is no file no_such.py"),
        (["cbma"], "unknown attention 'cbma', did you mean 'CBAM'?"),
        (["cbam", "groups=4"], "CBAM has no option 'groups'; its options are reduction, kernel_size"),
        (["cbam", "reduction=[8"], "'reduction=[8' is no value"),
        (["cbam", "channels=0"], "channels must be a whole number from 1"),
        (["gam", "start=identity"], "GAM has no option 'start'"),
        (["two_maps.py"], "two_maps.py has no operator"),
        (["taken.py"], "the name C2PSA is that of a module of Ultralytics'; call yours otherwise"),
    ],
)
def test_what_cannot_be_checked_is_one_line(words, error, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("two_maps.py").write_text(RIGHT.replace("self, x", "self, x, y"))
    Path("taken.py").write_text(RIGHT.replace("MyAttention", "C2PSA"))
    assert cli.main(["check", *words]) == 1
    said = capsys.readouterr().err
    assert error in said and said.startswith("ERROR ❌️") and said.count("\n") == 1


def test_channels_that_the_operator_refuses_are_its_own_word(capsys):
    assert cli.main(["check", "gam", "channels=2"]) == 1
    line = capsys.readouterr().out.splitlines()[1]
    assert line.startswith("constructor         ❌") and "GAM cannot reduce 2 channels by 4; set {reduction: 1}" in line
