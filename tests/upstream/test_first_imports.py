"""The patch layer works whatever is imported first, again, or without the start-up hook; and is in nobody's way."""

import os
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest

ROOT = Path(str(files("yolo_attn"))).parent
BUILDS = "\nfrom ultralytics import YOLO\nprint(len(YOLO('yolov8n-gam.yaml', verbose=False).model.model))"
WHOLE = "\nimport ultralytics.engine.exporter, ultralytics.engine.trainer\nfrom yolo_attn import upstream\n" + (
    "print(upstream.complete())"
)
SUBMODULES = sorted(file.stem for file in (ROOT / "yolo_attn" / "upstream").glob("*.py") if file.stem != "__init__")
FIRST = ["upstream", *(f"upstream.{name}" for name in SUBMODULES), "insertion", "doctor"]
SAMPLE = {"upstream", "upstream.parse", "upstream.blocks", "upstream.checkpoints", "insertion"}


def run(code: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", code], env=dict(os.environ), capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "yolo_attn is off" not in done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    "first", [pytest.param(one, marks=() if one in SAMPLE else pytest.mark.thorough) for one in FIRST]
)
def test_a_module_of_ours_may_come_first(first):
    assert run(f"import yolo_attn.{first}{WHOLE}")[-1] == "True"


@pytest.mark.parametrize("first", ["blocks", "exporter"])
def test_and_models_are_built(first):
    assert run(f"import yolo_attn.upstream.{first}{BUILDS}")[-1] == "26"


def test_a_reload_of_the_parser_keeps_it_on():
    code = (
        "import importlib, ultralytics.nn.tasks as tasks, ultralytics.engine.exporter, ultralytics.engine.trainer\n"
        "for _ in range(2):\n    importlib.reload(tasks)\n"
        "rows = [[-1, 1, 'Conv', [8, 3, 8]], [-1, 1, 'SE', [{'reduction': 4}]]]\n"
        "model = {'nc': 1, 'backbone': rows, 'head': [[[1], 1, 'Detect', ['nc']]]}\n"
        "new = tasks.DetectionModel(model, verbose=False)\n"
        "from ultralytics import YOLO\n"
        "old = YOLO('yolov8n-gam.yaml', verbose=False).model\n"
        "for model in (new, old):\n"
        "    model.fuse(verbose=False)\n"
        "    print([type(m).__name__ for m in model.modules() if type(m).__module__.startswith('yolo_attn.nn')][0])\n"
        "from yolo_attn import upstream\n"
        "upstream.uninstall()\n"
        "print([n for n, v in vars(tasks).items() if 'yolo_attn' in str(getattr(v, '__module__', ''))])"
    )
    assert run(code)[-3:] == ["Deployed", "Deployed", "[]"]
