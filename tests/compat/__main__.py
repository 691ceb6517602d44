"""Runs the tests of this folder, and the whole rounds of the stock command, in every supported release of Ultralytics.

    python -m tests.compat                   the releases below; releases.csv is written, and rendered by docs.render
    python -m tests.compat 8.3.0 8.4.50      these alone
    python -m tests.compat lowest            the lowest versions that are allowed, of torch and of Python, too
    python -m tests.compat 8.4.190@3.13      a release in another Python, which gets a torch of its own

Each release has an environment of its own below `.compat/`, which sees the packages of the running one, torch among
them, and has what that release pins in their place. It takes about two minutes a release on two cores, and for the
lowest versions five, three of them for the installation of that torch.
"""

import re
import shutil
import subprocess
import sys
import time
from importlib.metadata import metadata, version
from pathlib import Path

from packaging.requirements import Requirement

from benchmarks.machine import processor, update_rows
from tests.support import environments
from tests.support.environments import ROOT

RELEASES = ("8.3.0", "8.3.50", "8.3.100", "8.3.150", "8.3.200", "8.3.253")
NEWEST = version("ultralytics")
RELEASES += ("8.4.0", "8.4.50", "8.4.100", "8.4.150", NEWEST, f"{NEWEST}@3.12", f"{NEWEST}@3.13")
ROUNDS = "yolov5n-gam] or checkpoint_loads or bit_identical"
TESTS = {"tests": ["tests/compat"], "whole rounds": ["tests/stock/test_yolo.py", "--all", "-k", ROUNDS]}
RESULTS = Path(__file__).with_name("releases.csv")
LOWEST = "lowest"
COLUMNS = ("ultralytics", "python", "torch", "onnx", "numpy", "OpenCV")
SAY = """
import platform, cv2, numpy, onnx, torch, ultralytics
modules = torch.__version__.partition("+")[0], onnx.__version__, numpy.__version__, cv2.__version__
print(ultralytics.__version__, platform.python_version(), *modules)
"""


def lowest(requirements: str) -> list[str]:
    """Returns the lowest versions of `requirements` that this machine may have."""
    lines = [Requirement(line) for line in requirements.splitlines() if line and not line.startswith("#")]
    return [
        f"{one.name}=={spec.version}"
        for one in lines
        if one.marker is None or one.marker.evaluate()
        for spec in one.specifier
        if spec.operator == ">="
    ]


def interpreter(number: str) -> str:
    """Returns the path of a Python such as 3.10; the running one where it is not installed, and says so."""
    pyenv = sorted((Path.home() / ".pyenv" / "versions").glob(f"{number}.*/bin/python{number}"))
    found = str(pyenv[-1]) if pyenv else shutil.which(f"python{number}")
    if not found:
        print(f"python{number} is not here: tried with {sys.version.split()[0]}")
    return found or sys.executable


def of_its_own(folder: Path, number: str, packages: list[str]) -> Path:
    """Makes an environment of another Python, which has torch and all the rest for itself, and returns its Python."""
    subprocess.run([interpreter(number), "-m", "venv", folder], check=True)
    python = folder / "bin" / "python"
    for what in ([*packages, "pytest", "pytest-xdist", "hypothesis"], ["--no-deps", "-e", str(ROOT)]):
        command = [python, "-m", "pip", "install", "--quiet", "--no-compile", "--disable-pip-version-check", *what]
        subprocess.run(command, env=environments.clean_variables(), check=True)
    return python


def environment(name: str) -> Path:
    """Makes the environment of a release, or of the lowest versions, and returns its Python."""
    folder = ROOT / ".compat" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    release, _, number = name.partition("@")
    requirements = (ROOT / "requirements.txt").read_text()
    if release == LOWEST:
        oldest = metadata("yolo_attn")["Requires-Python"].removeprefix(">=")
        return of_its_own(folder / "environment", oldest, lowest(requirements))
    if number:
        return of_its_own(
            folder / "environment", number, ["-r", str(ROOT / "requirements.txt"), f"ultralytics=={release}"]
        )
    made = environments.create_environment(folder)
    environments.see_running_packages(made, hooks=True)
    environments.pip("--python", made.python, "install", "--quiet", f"ultralytics=={release}")
    return made.python


def run(release: str) -> tuple[dict[str, str], bool]:
    """Tests a release and returns its row of the results, and whether everything passed."""
    began = time.time()
    python = environment(release)
    found = subprocess.run([python, "-c", SAY], cwd=ROOT, capture_output=True, text=True, check=True)
    row = {"environment": release, **dict(zip(COLUMNS, found.stdout.splitlines()[-1].split(), strict=True))}
    assert release.partition("@")[0] in (row["ultralytics"], LOWEST), row
    passed = True
    for name, tests in TESTS.items():
        quiet = ["-p", "no:cacheprovider", "--show-capture=no", "--tb=short"]
        done = subprocess.run(
            [python, "-m", "pytest", "-n", "2", *quiet, *tests], cwd=ROOT, capture_output=True, text=True, check=False
        )
        passed &= done.returncode == 0
        if done.returncode:
            said = [line[:200] for line in done.stdout.splitlines() if re.match("E  |FAILED|ERROR", line)]
            print("\n".join(said[:20] + said[20:][-20:]), flush=True)
        counts = re.findall(r"\d+ (?:passed|failed|skipped|errors?)", done.stdout.splitlines()[-1])
        row[name] = ", ".join(counts) or "none ran"
    row["minutes"] = f"{(time.time() - began) / 60:.1f}"
    print(row, flush=True)
    return row, passed


def main(releases: list[str]) -> int:
    """Tests `releases`, or all; returns the exit status."""
    done = [run(release) for release in releases or dict.fromkeys((LOWEST, *RELEASES))]
    where = {"machine": processor(), "yolo_attn": version("yolo_attn")}
    print(update_rows(RESULTS, [row for row, _ in done], where))
    return 0 if all(passed for _, passed in done) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
