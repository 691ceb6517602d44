"""The wheel in real environments: what it holds, what it switches on, and that it is gone when it is uninstalled."""

import email
import json
import os
import shutil
import sysconfig
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

from tests.support.environments import (
    ROOT,
    Environment,
    build_wheel,
    copy_sources,
    create_environment,
    install,
    install_editable,
    see_running_packages,
    uninstall,
)

STARTUP_FILES = {"yolo_attn.pth", "yolo_attn.start"}
HEAVY = {"torch", "triton", "ultralytics", "numpy", "cv2", "onnx", "onnxruntime", "yolo_attn.upstream"}


@pytest.fixture(scope="session")
def wheel(tmp_path_factory) -> Path:
    return build_wheel(tmp_path_factory.mktemp("build"))


@pytest.fixture(scope="session")
def installed(tmp_path_factory, wheel) -> Environment:
    """An environment with the wheel, which no test changes."""
    environment = create_environment(tmp_path_factory.mktemp("installed"))
    install(environment, wheel)
    see_running_packages(environment)
    return environment


@pytest.fixture
def own(tmp_path, wheel) -> Environment:
    """An environment with the wheel, for one test to break."""
    environment = create_environment(tmp_path)
    install(environment, wheel)
    see_running_packages(environment)
    return environment


def test_wheel_holds_what_it_needs_and_says_what_it_requires(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        info = f"{wheel.name.rpartition('-py3')[0]}.dist-info"
        recorded = {line.split(",")[0] for line in archive.read(f"{info}/RECORD").decode().splitlines()}
        meta = email.message_from_bytes(archive.read(f"{info}/METADATA"))
    assert names == recorded
    assert names >= STARTUP_FILES
    assert {name for name in names if "/" not in name} == STARTUP_FILES
    for folder in ("models", "data"):
        shipped = {f"yolo_attn/{folder}/{path.name}" for path in (ROOT / folder).glob("*.yaml")}
        assert shipped and names >= shipped
    sources = {str(path.relative_to(ROOT)) for path in (ROOT / "yolo_attn").rglob("*.py")}
    sources |= {
        f"yolo_attn/{path.relative_to(ROOT)}" for f in ("models", "data", "export") for path in (ROOT / f).rglob("*.py")
    }
    assert {name for name in names if name.endswith(".py")} == sources
    assert f"{info}/licenses/LICENSE" in names and "yolo_attn/py.typed" in names
    assert "yolo_attn/live/page.html" in names
    assert meta["License-Expression"] == "AGPL-3.0-only"
    lines = [line for line in (ROOT / "requirements.txt").read_text().splitlines() if line and not line.startswith("#")]
    required = [line for line in meta.get_all("Requires-Dist", []) if "extra ==" not in line]
    assert _requirements(required) == _requirements(lines)


def _requirements(lines: list[str]) -> set:
    from packaging.requirements import Requirement

    return {Requirement(line) for line in lines}


def test_installed_wheel_works_from_an_empty_folder(installed):
    code = """
import yolo_attn, ultralytics
from ultralytics import YOLO
from ultralytics.utils.checks import check_yaml
model = YOLO("yolov5n-gam.yaml")
attention = [m.f for m in model.model.model if type(m).__name__ == "GAM"]
print(yolo_attn.__file__, check_yaml("shapes.yaml"), attention, sep="\\n")
"""
    file, data, attention = installed.run("python", "-c", code).stdout.splitlines()[-3:]
    assert Path(file).parent == installed.site / "yolo_attn"
    assert Path(data) == installed.site / "yolo_attn" / "data" / "shapes.yaml"
    assert json.loads(attention)
    assert not list(installed.cwd.iterdir())


def test_stock_command_exports_attention_from_an_empty_folder(installed, tmp_path):
    here = Environment(installed.root, tmp_path)
    output = here.run("yolo", "export", "model=yolov5n-gam.yaml", "format=onnx", "imgsz=32", "simplify=False")
    assert "ONNX agrees with PyTorch" in output.stdout + output.stderr


def test_doctor_finds_the_installed_wheel_in_order(installed):
    output = installed.run(
        "yolo-attn", "doctor", PATH=f"{installed.root / 'bin'}{os.pathsep}{os.environ['PATH']}"
    ).stdout
    assert "❌" not in output and f"{installed.root / 'bin' / 'yolo'} " in output


def test_zero_switches_everything_off(installed):
    code = """
import sys, ultralytics.engine.exporter
from ultralytics import YOLO
YOLO("yolov5n.yaml")
try:
    YOLO("yolov5n-gam.yaml")
except FileNotFoundError:
    print("not found", [name for name in sys.modules if name.startswith("yolo_attn")])
"""
    assert installed.run("python", "-c", code, YOLO_ATTN="0").stdout.endswith("not found []\n")


def test_start_up_loads_the_hook_alone(installed):
    added = installed.modules() - installed.modules(YOLO_ATTN="0")
    assert added == {"yolo_attn", "yolo_attn.boot"}


@pytest.mark.parametrize("code", ["import yolo_attn", "import yolo_attn.cli, yolo_attn.doctor"])
def test_import_is_light(installed, code):
    assert not installed.modules(code) & HEAVY


@pytest.mark.parametrize("first", ["yolo_attn", "ultralytics.nn.tasks"])
def test_an_import_arms_the_hook_where_it_did_not_run(installed, first):
    """`-S` reads no path files, as a folder on PYTHONPATH has none read."""
    running = [sysconfig.get_path(name) for name in ("purelib", "platlib")]
    code = f"import {first}, yolo_attn\nfrom ultralytics import YOLO\nprint(len(YOLO('yolov8n-gam.yaml').model.model))"
    paths = os.pathsep.join([str(installed.site), *running])
    assert installed.run("python", "-S", "-c", code, PYTHONPATH=paths).stdout.splitlines()[-1] == "26"


def test_unsupported_ultralytics_stays_stock_and_refuses_attention(own):
    """Python starts, Ultralytics works, one warning says what is wrong, and a model with attention is not built."""
    file = next(own.site.glob("yolo_attn-*.dist-info/METADATA"))
    text = file.read_text()
    range_line = next(line for line in text.splitlines() if line.startswith("Requires-Dist: ultralytics"))
    file.write_text(text.replace(range_line, "Requires-Dist: ultralytics>=99"))
    shutil.copy(ROOT / "models" / "yolov5-gam.yaml", own.cwd / "mine-yolov5n.yaml")
    code = """
import sys, ultralytics
print("imported", "yolo_attn.upstream" in sys.modules)
from ultralytics import YOLO
import ultralytics.engine.exporter
print("built", len(YOLO("yolov8n.yaml").model.model))
for name in ("mine-yolov5n.yaml", "yolov5n-gam.yaml", "yolo11n-cbam-in-neck.yaml"):
    try:
        YOLO(name)
    except Exception as error:
        print("refused", type(error).__name__, error)
"""
    done = own.run("python", "-c", code)
    imported, built, refused, *by_name = done.stdout.splitlines()[-5:]
    assert by_name == [refused, refused]
    strict = own.run("python", "-W", "error::RuntimeWarning", "-c", "import ultralytics.nn.tasks")
    assert strict.stderr.count("yolo_attn is off") == 1 and "Traceback" not in strict.stderr
    assert imported == "imported False" and built == "built 23"
    version = metadata.version("ultralytics")
    assert refused.startswith(f"refused AttentionError ultralytics {version} is not supported")
    assert done.stderr.count("yolo_attn is off") == 1 and done.stderr.count("RuntimeWarning") == 1
    for text in (done.stderr, refused):
        assert version in text and "pip install 'ultralytics>=99'" in text
    failed = own.run("yolo", "train", "model=mine-yolov5n.yaml", "data=coco8.yaml", fails=True)
    assert f"ERROR ❌️ ultralytics {version} is not supported" in failed.stderr
    assert "Traceback" not in failed.stderr
    ill = own.run("yolo-attn", "doctor", fails=True).stdout
    assert "pip install 'ultralytics>=99'" in ill and "pip install -U 'ultralytics>=99'" in ill


def test_damaged_package_never_breaks_the_start(own):
    (own.site / "yolo_attn" / "boot.py").unlink()
    done = own.run("python", "-c", "print('started')")
    assert (done.stdout, done.stderr) == ("started\n", "")
    shutil.rmtree(own.site / "yolo_attn")
    done = own.run("python", "-c", "print('started')")
    assert (done.stdout, done.stderr) == ("started\n", "")


def test_uninstall_leaves_nothing(tmp_path, wheel):
    environment = create_environment(tmp_path)
    (environment.site / "neighbour.py").touch()
    before = environment.files()
    install(environment, wheel)
    assert {Path(path).name for path in environment.files() - before} >= {*STARTUP_FILES, "boot.py", "yolo-attn"}
    environment.run("python", "-c", "pass")
    uninstall(environment)
    assert environment.files() == before
    assert not [path for path in environment.site.iterdir() if "yolo_attn" in path.name]
    see_running_packages(environment)
    code = "from ultralytics import YOLO; import sys; YOLO('yolov5n.yaml'); print('yolo_attn.upstream' in sys.modules)"
    assert environment.run("python", "-c", code).stdout.endswith("False\n")


def test_editable_install_has_the_start_up_files_too(tmp_path):
    environment = create_environment(tmp_path)
    (environment.site / "neighbour.py").touch()
    before = environment.files()
    sources = copy_sources(tmp_path / "sources")
    install_editable(environment, sources, tmp_path / "tools")
    assert all((environment.site / name).is_file() for name in STARTUP_FILES)
    code = """
import yolo_attn.data, yolo_attn.models
from yolo_attn import boot
print(boot.armed(), boot.__file__, yolo_attn.data.__file__, yolo_attn.models.__file__)
"""
    where = [sources / name for name in ("yolo_attn/boot.py", "data/__init__.py", "models/__init__.py")]
    assert environment.run("python", "-c", code).stdout.split() == ["True", *map(str, where)]
    uninstall(environment)
    assert environment.files() == before
