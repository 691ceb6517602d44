"""The command line: what is typed reaches the command, typed; what is typed wrong is one line with the mend."""

import dataclasses
import inspect
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import pytest

from yolo_attn import __version__, cli

COMMAND = Path(sys.executable).with_name("yolo-attn")


@dataclass
class Options:
    """The keys of a command that only prints what it is told."""

    model: Annotated[str, "a model"]
    imgsz: Annotated[int, "its size in pixels", 32, 640] = 640


@dataclass
class MoreOptions(Options):
    """A key of every type, and all other keys."""

    classes: Annotated[list[int] | None, "its classes", 0, 9] = None
    conf: Annotated[float, "its least score", 0, 1] = 0.25
    save: Annotated[bool | None, "whether it is kept"] = None
    rest: Annotated[dict[str, str], "anything else"] = field(default_factory=dict)


def show(options: Options) -> int:
    """Shows a model."""
    print(options.model, options.imgsz)
    return 3


def keep(options: MoreOptions) -> int:
    """Keeps a model."""
    print(options)
    return 0


@pytest.fixture(autouse=True)
def commands(monkeypatch):
    monkeypatch.setattr(cli, "COMMANDS", {**cli.COMMANDS, "show": show, "keep": keep})


@pytest.mark.parametrize("arguments", [[], ["help"], ["-h"], ["--help"]])
def test_help(arguments, capsys):
    assert cli.main(arguments) == 0
    output = capsys.readouterr().out
    assert all(f"yolo-attn {name}" in output for name in cli.COMMANDS)


@pytest.mark.parametrize("arguments", [["version"], ["-v"], ["--version"]])
def test_version(arguments, capsys):
    assert cli.main(arguments) == 0
    assert capsys.readouterr().out == f"{__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["docter"], "yolo-attn has no command 'docter', did you mean 'doctor'?; it takes {commands}"),
        (["qqq"], "yolo-attn has no command 'qqq'; it takes {commands}"),
        (["doctor", "x=1"], "'yolo-attn doctor' has no key 'x'; it takes none"),
        (["show", "modle=a"], "'yolo-attn show' has no key 'modle', did you mean 'model'?; it takes model, imgsz"),
        (["show", "model"], "'yolo-attn show' needs a value for 'model': write model=..."),
        (["show", "imgsz=64"], "'yolo-attn show' also needs model=..."),
        (["show", "a.yaml", "64"], "'yolo-attn show' needs a key for '64': write imgsz=64"),
        (
            ["show", "a.yaml", "imgs"],
            "'yolo-attn show' has no key 'imgs', did you mean 'imgsz'?; it takes model, imgsz",
        ),
        (["show", "a.yaml", "model=b.yaml"], "'yolo-attn show' has model= twice, 'a.yaml' and 'b.yaml': write one"),
        (["show", "a.yaml", "imgsz=9"], "imgsz must be a whole number from 32 to 640, got '9'"),
        (["show", "a.yaml", "imgsz=2147483648"], "imgsz must be a whole number from 32 to 640, got '2147483648'"),
        (["keep", "a.yaml", "conf=nan"], "conf must be a number from 0 to 1, got 'nan'"),
        (["keep", "a.yaml", "classes=1,x"], "classes must be whole numbers from 0 to 9, got '1,x'"),
        (["keep", "a.yaml", "save=maybe"], "save must be True or False, got 'maybe'"),
    ],
)
def test_what_is_typed_wrong_is_one_line(arguments, error, capsys):
    assert cli.main(arguments) == 1
    error = error.format(commands=", ".join(cli.COMMANDS))
    assert capsys.readouterr().err == f"ERROR ❌️ {error}\n"


def test_keys_reach_the_command(capsys):
    assert cli.main(["show", "model=a=b.yaml", "--imgsz=64"]) == 3
    assert capsys.readouterr().out == "a=b.yaml 64\n"
    assert cli.main(["keep", "a.yaml", "classes=[1,2]", "save=True", "conf=1", "-x", "y"]) == 0
    told = MoreOptions("a.yaml", classes=[1, 2], conf=1.0, save=True, rest={"x": "y"})
    assert capsys.readouterr().out == f"{told}\n"


@pytest.mark.parametrize("words", [["-h"], ["--help"], ["help"], ["a.yaml", "--help"]])
def test_a_commands_help_prints_its_keys(words, capsys):
    assert cli.main(["keep", *words]) == 0
    lines = {line.split()[0]: " ".join(line.split()[1:]) for line in capsys.readouterr().out.splitlines()[2:]}
    assert lines == {
        "model": "text required a model",
        "imgsz": "a whole number from 32 to 640 640 its size in pixels",
        "classes": "whole numbers from 0 to 9 its classes",
        "conf": "a number from 0 to 1 0.25 its least score",
        "save": "True or False whether it is kept",
        "…": "key=value ... anything else",
    }


@pytest.mark.parametrize("name", ["add", "remove", "fix", "export", "live", "doctor"])
def test_every_commands_help_names_every_key(name, capsys):
    assert cli.main([name, "--help"]) == 0
    printed = {line.split()[0] for line in capsys.readouterr().out.splitlines() if line.startswith("  ")}
    for parameter in inspect.signature(cli.COMMANDS[name]).parameters.values():
        fields = {one.name for one in dataclasses.fields(parameter.annotation)}
        assert len(fields) == len(printed) and len(fields - printed) <= 1  # what takes all other keys is `…`


def test_help_loads_neither_torch_nor_opencv():
    code = "import sys; from yolo_attn import cli; cli.main(['live', '-h']); cli.main(['add', '-h'])\n"
    code += "assert not {'torch', 'ultralytics', 'cv2', 'onnxruntime'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_a_reader_that_has_seen_enough_is_no_error():
    line = f"{COMMAND} show yolov8n-cbam.yaml | head -1"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True)
    assert done.stdout.count("\n") == 1 and not done.stderr
