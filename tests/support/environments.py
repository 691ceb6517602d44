"""Virtual environments, and the wheel that is installed in them.

An environment here is new and holds the wheel alone; it sees torch, Ultralytics and the rest in the running one through
a path file, which is written after the install. Python runs the path files of site-packages alone and not those of a
folder that one names, so that a yolo_attn of the running environment cannot switch itself on in the new one.
"""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).parents[2]
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


def see_running_packages(environment: Environment, hooks: bool = False) -> None:
    """Lets `environment` import what the running one has, after its own packages, and gives it the stock `yolo`.

    Args:
        environment: The one that imports.
        hooks: Run the path files of the running one, too: that of an editable install, and the add-on's own.
    """
    paths = dict.fromkeys(sysconfig.get_path(name) for name in ("purelib", "platlib"))
    lines = [f"import site; site.addsitedir({path!r})" for path in paths] if hooks else paths
    (environment.site / "running.pth").write_text("\n".join(lines))
    script = environment.root / "bin" / "yolo"
    script.write_text(YOLO_SCRIPT.format(python=environment.python))
    script.chmod(0o755)


def uninstall(environment: Environment) -> None:
    """Uninstalls yolo_attn from `environment`."""
    pip("--python", environment.python, "uninstall", "--quiet", "--yes", "yolo_attn")
