"""What the tests share: settings of their own for Ultralytics, the built-in set, and the stock `yolo` command."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

import pytest

# Ultralytics reads this once, at import, and its child processes inherit it: the user's settings are never touched.
CONFIG = Path(tempfile.mkdtemp(prefix="yolo_attn-tests-"))
os.environ["YOLO_CONFIG_DIR"] = str(CONFIG)
os.environ["YOLO_AUTOINSTALL"] = "false"
os.environ["OMP_NUM_THREADS"] = "1"  # of child processes: a training of maps this small takes half as long again on two
SETTINGS = CONFIG / "Ultralytics" / "settings.json"
SETTINGS.parent.mkdir()
FOLDERS = {"datasets_dir": str(CONFIG / "datasets"), "runs_dir": str(CONFIG / "runs")}
SETTINGS.write_text(json.dumps({**FOLDERS, "sync": False}))
source = Path(find_spec("ultralytics").origin).parent / "utils" / "__init__.py"
if "values were preserved" not in source.read_text(encoding="utf-8"):  # up to 8.4.100 or so it takes a whole file alone
    code = f"from ultralytics import settings; settings.update({FOLDERS!r})"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
YOLO = Path(sys.executable).with_name("yolo")


def pytest_configure(config):
    import torch

    torch.set_num_threads(1)  # the operators' maps are small here: on several threads they take many times as long


def pytest_sessionfinish(session):
    shutil.rmtree(CONFIG, ignore_errors=True)


@pytest.fixture(scope="session")
def datasets() -> Path:
    """Ultralytics' folder of data sets, with the built-in detection set in it."""
    from yolo_attn.data.shapes import generate

    generate(CONFIG / "datasets" / "shapes", "detect")
    return CONFIG / "datasets"


@pytest.fixture(scope="session")
def yolo():
    """Runs the stock `yolo` command in a folder and returns what it printed; `fails=True` expects a failure."""

    def run(*args: str, cwd: Path, fails: bool = False, **env: str) -> str:
        done = subprocess.run(
            [YOLO, *args], cwd=cwd, env={**os.environ, **env}, capture_output=True, text=True, timeout=300
        )
        output = done.stdout + done.stderr
        assert (done.returncode != 0) == fails, output[-3000:]
        return output

    return run


@pytest.fixture
def log(caplog):
    """What Ultralytics' logger said."""
    from ultralytics.utils import LOGGER

    LOGGER.addHandler(caplog.handler)
    yield caplog
    LOGGER.removeHandler(caplog.handler)


def pytest_addoption(parser):
    parser.addoption("--all", action="store_true", help="every combination where a run takes a sample")


def pytest_collection_modifyitems(config, items):
    """Leaves out what is marked `thorough`, unless everything is asked for."""
    if not config.getoption("--all"):
        left_out = [item for item in items if item.get_closest_marker("thorough")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in set(left_out)]


@pytest.fixture(scope="session")
def live_model(tmp_path_factory) -> Path:
    """An exported detector of 160 pixels that finds something in most pictures."""
    from tests.support.live_models import export

    folder, before = tmp_path_factory.mktemp("live"), Path.cwd()
    os.chdir(folder)  # the exporter writes beside the model, which is nowhere
    try:
        return export("yolov5n.yaml", folder)
    finally:
        os.chdir(before)
