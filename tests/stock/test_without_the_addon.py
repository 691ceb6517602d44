"""A checkpoint on a machine that has Ultralytics and not this package: what stock says there, and what mends it.

A file cannot say more than the names of its classes. So these are all of one package, whose name is what Ultralytics
prints and installs; and the page on exporting says what to do, in the words that are printed.
"""

import os
import pickletools
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import torch
from ultralytics import YOLO

from tests.support.sensitive import sensitive
from tests.support.tiny import detector, image, written
from yolo_attn import registry

ROOT = Path(__file__).parents[2]

# Nothing of yolo_attn can be imported, and pip knows of none.
WITHOUT = """
import importlib.metadata, sys, traceback

class Nowhere:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "yolo_attn":
            raise ModuleNotFoundError("No module named 'yolo_attn'", name="yolo_attn")

def version(name, known=importlib.metadata.version):
    if name == "yolo_attn":
        raise importlib.metadata.PackageNotFoundError(name)
    return known(name)

sys.meta_path.insert(0, Nowhere())
importlib.metadata.version = version
from ultralytics.nn.tasks import torch_safe_load
for safe in (True, False):
    try:
        torch_safe_load("best.pt", safe_only=safe)
    except Exception:
        print(f"safe_only={safe}", traceback.format_exc())
"""

# The package can be imported and is not switched on, as in the process in which Ultralytics has just installed it.
NOT_SWITCHED_ON = """
import sys, torch
from ultralytics import YOLO
model = YOLO("best.pt").model.float().eval()
with torch.no_grad():
    torch.save(model(torch.load("image.pt"))[0], "output.pt")
from yolo_attn import upstream
assert upstream.installed() == []
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder with a checkpoint that holds every operator, one of them inside a block as well."""
    folder = tmp_path_factory.mktemp("elsewhere")
    rows = detector(
        (0, ["C3_CBAM", [32]]), *((k % 3, name) for k, name in enumerate(registry.names())), widths=(32, 32, 32)
    )
    model = YOLO(written(rows, folder / "all.yaml"))
    sensitive(model.model)
    model.save(folder / "best.pt")
    torch.save(image(), folder / "image.pt")
    return folder


def run(script: str, folder: Path) -> str:
    env = {**os.environ, "YOLO_ATTN": "0", "YOLO_AUTOINSTALL": "false"}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=folder, env=env, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout + done.stderr


def test_stock_names_the_add_on_and_so_does_the_page(folder):
    said = run(WITHOUT, folder)
    assert "yolo_attn." in said.partition("safe_only=False")[0]  # the class that is not admitted, with its package
    for words in ("appears to require 'yolo_attn'", "No module named 'yolo_attn'"):
        assert words in said and words in (ROOT / "docs" / "export.md").read_text(encoding="utf-8")
    assert "AutoUpdate disabled" in said  # nothing was installed here


def test_every_class_that_may_be_missing_is_this_packages(folder):
    with zipfile.ZipFile(folder / "best.pt") as file:
        pickle = file.read(next(name for name in file.namelist() if name.endswith("data.pkl")))
    named = {argument.partition(" ")[0] for op, argument, _ in pickletools.genops(pickle) if op.name == "GLOBAL"}
    assert {f"yolo_attn.nn.{info.cls.__module__.rpartition('.')[2]}" for info in registry.OPERATORS} <= named
    packages = {module.partition(".")[0] for module in named} - set(sys.stdlib_module_names) - {"__builtin__"}
    assert packages == {"torch", "ultralytics", "yolo_attn"}


def test_installing_the_package_is_all_there_is_to_mend(folder):
    run(NOT_SWITCHED_ON, folder)
    model = YOLO(folder / "best.pt").model.float().eval()
    with torch.no_grad():
        assert torch.equal(torch.load(folder / "output.pt"), model(image())[0])
