"""Installing the patch layer: it undoes itself, and where a seam does not hold everything is taken back."""

import os
import subprocess
import sys

import pytest

from yolo_attn import upstream

SEAMS = set(upstream.SEAMS)

# Everything of Ultralytics that could be replaced, and what of Python and torch the patch layer touches.
SNAPSHOT = """
import sys
import torch
from ultralytics import YOLO
import ultralytics.engine.exporter, ultralytics.engine.trainer, ultralytics.models.yolo, ultralytics.data.utils
from ultralytics.engine.exporter import Exporter
from ultralytics.engine.trainer import BaseTrainer
from ultralytics.engine.trainer import BaseTrainer
from ultralytics.nn import tasks

def snapshot():
    modules = {name: m for name, m in sys.modules.items() if name.split(".")[0] == "ultralytics"}
    places = {name: dict(vars(module)) for name, module in modules.items()}
    for owner in (tasks.BaseModel, tasks.DetectionModel, Exporter):
        places[owner.__name__] = dict(vars(owner))
    places["interpreter"] = {"excepthook": sys.excepthook, "meta_path": list(map(id, sys.meta_path))}
    places["torch"] = {"safe_globals": frozenset(torch.serialization.get_safe_globals())}
    return places

def changes(before, after):
    return sorted(
        f"{place}.{name}"
        for place in before
        for name in before[place].keys() | after[place].keys()
        if before[place].get(name, before) is not after[place].get(name, before)
        and before[place].get(name, before) != after[place].get(name, before)
    )

def strays():
    return [
        f"{module}.{name}"
        for module, held in snapshot().items()
        for name, value in held.items()
        if "yolo_attn" in str(getattr(getattr(value, "__code__", None), "co_filename", ""))
        or str(getattr(value, "__module__", "")).startswith("yolo_attn")
    ]
"""


def run(code: str, hook: str = "0") -> list[str]:
    """Runs `code` in a fresh interpreter, by default with the hook off, and returns the lines it printed."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "YOLO_ATTN": hook},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.splitlines()


def test_uninstall_restores_exactly_what_was_there():
    code = """
before = snapshot()
from yolo_attn import upstream
sys.argv[0] = "yolo"
state = torch.get_rng_state()
for _ in range(2):
    upstream.install()
    upstream.install()  # a second time changes nothing
    print("random numbers untouched", torch.equal(state, torch.get_rng_state()))
    print(*upstream.installed())
    print(*changes(before, snapshot()))
    upstream.uninstall()
    print("left", changes(before, snapshot()), strays(), upstream.installed())
"""
    untouched, installed, changed, left, *again = run(SNAPSHOT + code)
    assert untouched == "random numbers untouched True"
    assert set(installed.split()) == SEAMS
    assert {
        "BaseModel.fuse",
        "BaseModel.is_fused",
        "Exporter.export_onnx",
        "interpreter.excepthook",
        "torch.safe_globals",
        "ultralytics.data.utils.check_det_dataset",
        "ultralytics.nn.tasks.parse_model",
        "ultralytics.nn.tasks.yolo_attn.GAM",
        "ultralytics.utils.checks.check_file",
    } <= set(changed.split())
    assert left == "left [] [] []"
    assert again == [untouched, installed, changed, left]


def test_a_seam_that_does_not_hold_takes_everything_back_and_refuses_attention():
    code = """
before = snapshot()
import ultralytics
from yolo_attn import upstream
from yolo_attn.upstream import fuse, version
fuse.install = lambda: None
for module in ("ultralytics.nn.tasks", "ultralytics.engine.exporter"):  # as the hook does, which warns and goes on
    try:
        upstream.on_import(module)
    except ValueError as error:
        reason = error
print(reason)
print(ultralytics.__version__ in str(reason), version.supported() in str(reason))
print(*changes(before, snapshot()))
print("installed", upstream.installed())
print("built", len(YOLO("yolov8n.yaml").model.model))
rows = {"nc": 1, "backbone": [[-1, 1, "Conv", [8]], [-1, 1, "GAM", []]], "head": []}
try:
    tasks.parse_model(rows, 3)
except ValueError as refusal:
    print("refused", refusal)
upstream.uninstall()
print("left", changes(before, snapshot()), strays())
"""
    error, says_versions, changed, installed, built, refused, left = run(SNAPSHOT + code)
    assert "fuse() of this ultralytics" in error
    # Until uninstall(), parser and loader alone are replaced: everywhere, by those that refuse.
    assert {name.rpartition(".")[2] for name in changed.split()} == {"parse_model", "yaml_model_load"}
    assert installed == "installed []" and built == "built 23"
    assert refused == f"refused {error}"
    assert left == "left [] []"
    assert says_versions == "True True"


# Ultralytics' modules import one another in circles: each of these is the first import of some program.
@pytest.mark.parametrize("first", ["data", "data.utils", "engine.trainer", "engine.exporter", "models", "utils.checks"])
def test_any_module_of_ultralytics_may_come_first(first):
    code = f"""
import warnings; warnings.simplefilter("error", RuntimeWarning)
import ultralytics.{first}
import ultralytics.engine.exporter, ultralytics.engine.trainer
from ultralytics.data import utils
from ultralytics.engine import validator
from yolo_attn import upstream
from yolo_attn.upstream import datasets
print(*upstream.installed())
print(utils.check_det_dataset is validator.check_det_dataset is datasets.check_det_dataset)
"""
    installed, reached = run(code, hook="1")
    assert set(installed.split()) == SEAMS
    assert reached == "True"
