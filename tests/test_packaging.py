"""The wheel in real environments: what it holds, what it switches on, and that it is gone when it is uninstalled.

An environment here is new and holds the wheel alone; it sees torch, Ultralytics and the rest in the running one through
a path file, which is written after the install. Python runs the path files of site-packages alone and not those of a
folder that one names, so that a yolo_attn of the running environment cannot switch itself on in the new one.
"""

import email
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
STARTUP_FILES = {"yolo_attn.pth", "yolo_attn.start"}
HEAVY = {"torch", "triton", "ultralytics", "numpy", "cv2", "onnx", "onnxruntime", "yolo_attn.upstream"}
YOLO_SCRIPT = (
    "#!{python}\nimport sys\nfrom ultralytics.cfg import entrypoint\nsys.exit(entrypoint())\n"  # as pip writes
)


@dataclass(frozen=True)
class Environment:
    """A virtual environment at `root`, and an empty folder in which its programs run."""

    root: Path
    cwd: Path

    @property
    def python(self) -> Path:
        return self.root / "bin" / "python"

    @property
    def site(self) -> Path:
        return Path(sysconfig.get_path("purelib", "venv", {"base": str(self.root)}))

    def files(self) -> set[str]:
        """Returns every file of the environment that pip put there."""
        found = {str(path.relative_to(self.root)) for path in self.root.rglob("*") if path.is_file()}
        return {path for path in found if "__pycache__" not in path}

    def run(self, program: str, *args: str, fails: bool = False, **env: str) -> subprocess.CompletedProcess:
        """Runs a program of the environment; `fails=True` expects an exit status other than 0."""
        done = subprocess.run(
            [self.root / "bin" / program, *args],
            cwd=self.cwd,
            env={**clean_variables(), **env},
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert (done.returncode != 0) == fails, (done.stdout + done.stderr)[-3000:]
        return done

    def modules(self, code: str = "pass", **env: str) -> set[str]:
        """Returns the names of the modules that are loaded after `code`."""
        code += "\nimport json, sys; print(json.dumps(list(sys.modules)))"
        return set(json.loads(self.run("python", "-c", code, fails=False, **env).stdout))


def clean_variables() -> dict[str, str]:
    """Returns the environment variables without those that change what Python or yolo_attn do at start."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "COVERAGE", "VIRTUAL_ENV", "YOLO_ATTN"))}


def copy_sources(folder: Path) -> Path:
    """Copies the repository's files to `folder`: a build writes into its sources."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)
    return folder


def pip(*args: str | Path) -> None:
    """Runs pip; the arguments say with which environment's Python."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *map(str, args)]
    done = subprocess.run(command, env=clean_variables(), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def isolation() -> list[str]:
    """Returns pip's option to build with the running setuptools if that one can; pip downloads another otherwise."""
    versions = [int(found.version.split(".")[0]) for found in metadata.distributions(name="setuptools")]
    return ["--no-build-isolation"] if versions and versions[0] >= 77 else []


def build_wheel(folder: Path) -> Path:
    """Builds the wheel from a copy of the sources, below `folder`."""
    pip(
        "wheel", "--quiet", "--no-deps", *isolation(), "--wheel-dir", folder / "wheel", copy_sources(folder / "sources")
    )
    return next((folder / "wheel").glob("*.whl"))


def create_environment(folder: Path) -> Environment:
    """Creates an environment without any package, below `folder`."""
    environment = Environment(folder / "environment", folder / "empty")
    environment.cwd.mkdir()
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment.root], check=True)
    return environment


def install(environment: Environment, *what: str | Path) -> None:
    """Installs `what`, for instance the wheel, into `environment`."""
    pip("--python", environment.python, "install", "--quiet", "--no-deps", *what)


def install_editable(environment: Environment, sources: Path, tools: Path) -> None:
    """Installs `sources` so that the environment runs them where they are; setuptools is lent to it in `tools`."""
    tools.mkdir()
    lent = environment.site / "lent.pth"
    if isolation():
        for pattern in ("setuptools", "setuptools-*.dist-info", "_distutils_hack"):
            for path in Path(sysconfig.get_path("purelib")).glob(pattern):
                (tools / path.name).symlink_to(path)
        lent.write_text(str(tools))
    install(environment, *isolation(), "-e", sources)
    lent.unlink(missing_ok=True)


def see_running_packages(environment: Environment) -> None:
    """Lets `environment` import what the running one has, after its own packages, and gives it the stock `yolo`."""
    paths = dict.fromkeys(sysconfig.get_path(name) for name in ("purelib", "platlib"))
    (environment.site / "running.pth").write_text("\n".join(paths))
    script = environment.root / "bin" / "yolo"
    script.write_text(YOLO_SCRIPT.format(python=environment.python))
    script.chmod(0o755)


def uninstall(environment: Environment) -> None:
    """Uninstalls yolo_attn from `environment`."""
    pip("--python", environment.python, "uninstall", "--quiet", "--yes", "yolo_attn")


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
try:
    YOLO("mine-yolov5n.yaml")
except Exception as error:
    print("refused", type(error).__name__, error)
"""
    done = own.run("python", "-c", code)
    imported, built, refused = done.stdout.splitlines()[-3:]
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
