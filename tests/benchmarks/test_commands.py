"""Every benchmark's command that is printed somewhere can be typed: its module is there and reads its arguments."""

import argparse
import importlib
import re
import shlex
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COMMAND = re.compile(r"python -m (benchmarks(?:\.\w+)*)([^`\n\[#,:)\"]*)")  # to the end of the code, or to a comment


def printed() -> list[tuple[str, str, str]]:
    """Returns file, module and arguments of each command in documents, scripts and tests."""
    folders = [ROOT / name for name in ("docs", "benchmarks", "tests", "yolo_attn", "export")]
    files = [*ROOT.glob("*.md"), *(file for folder in folders for file in folder.rglob("*"))]
    return sorted(
        (str(file.relative_to(ROOT)), module, arguments.strip())
        for file in files
        if file.suffix in (".md", ".py") and file != Path(__file__)
        for module, arguments in set(COMMAND.findall(file.read_text(encoding="utf-8")))
    )


COMMANDS = printed()


class Parsed(Exception):
    """The arguments were read; the script goes no further."""


@pytest.mark.parametrize(("file", "module", "arguments"), COMMANDS, ids=[" ".join(command) for command in COMMANDS])
def test_a_printed_command_can_be_typed(file, module, arguments, monkeypatch):
    def parse_and_stop(parser):
        parse(parser)
        raise Parsed

    spec = find_spec(module)
    assert spec, f"{file} names `python -m {module}`, which is not there"
    main = importlib.import_module(f"{module}.__main__" if spec.submodule_search_locations else module).main
    parse = argparse.ArgumentParser.parse_args
    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse_and_stop)
    monkeypatch.setattr(sys, "argv", [module, *shlex.split(arguments)])
    with pytest.raises(Parsed):
        main()


def test_every_script_says_how_it_is_called():
    scripts = [file for file in (ROOT / "benchmarks").rglob("*.py") if "def main(" in file.read_text(encoding="utf-8")]
    modules = {file: ".".join(file.relative_to(ROOT).with_suffix("").parts) for file in scripts}
    said = {(ROOT / file, module) for file, module, _ in COMMANDS}
    assert scripts and said >= {(file, module.removesuffix(".__main__")) for file, module in modules.items()}
