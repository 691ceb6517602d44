"""Ultralytics' own tests, which its source distribution holds: with the add-on the same ones pass as without it.

    python -m tests.compat.theirs          in the running environment's release; about nine minutes on two cores

What they download is made here instead: weights from each task's model YAML, and small data sets. So what they assert
of a trained model fails in both runs, and the sets of both are compared, test by test.
"""

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import xml.etree.ElementTree as ElementTree
from importlib.metadata import version
from pathlib import Path

from ultralytics import YOLO
from ultralytics.cfg import TASK2MODEL

from benchmarks.machine import machine, write_rows
from tests.support import environments, task_sets

RESULTS = Path(__file__).with_name("theirs.csv")
OUTCOMES = ("passed", "failed", "error", "skipped")
LIMIT = 1800  # seconds

SETS = {"coco8": "detect", "coco8-seg": "segment", "coco8-pose": "pose", "dota8": "obb"}
SETS |= {"cityscapes8": "semantic", "depth8-png": "depth", "imagenet10": "classify"}
SETTINGS = """
from pathlib import Path
from ultralytics import settings
folders = {name: str(Path(name.partition("_")[0]).resolve()) for name in ("datasets_dir", "weights_dir", "runs_dir")}
settings.update(folders | {"sync": False})
"""


def make_what_they_download(folder: Path) -> None:
    """Writes weights and data sets below `folder`."""
    for name in TASK2MODEL.values():
        for where in ("weights", "weights/path with spaces"):
            file = folder / where / name
            file.parent.mkdir(parents=True, exist_ok=True)
            YOLO(Path(name).with_suffix(".yaml")).save(file)
    for name, task in SETS.items():
        task_sets.draw(folder / "datasets" / name, task)


def sources(folder: Path) -> Path:
    """Downloads Ultralytics' source distribution into `folder` and returns its tests."""
    name = f"ultralytics=={version('ultralytics')}"
    environments.pip("download", "--quiet", "--no-deps", "--no-binary", "ultralytics", "--dest", folder, name)
    with tarfile.open(next(folder.glob("ultralytics-*.tar.gz"))) as archive:
        archive.extractall(folder, filter="data")
    return next(folder.glob("ultralytics-*/tests"))


def start(made: Path, folder: Path, on: bool) -> subprocess.Popen:
    """Starts their tests in a copy of the folder `made`, with the add-on or with its hook switched off."""
    shutil.copytree(made, folder)
    env = environments.clean_variables() | {"YOLO_CONFIG_DIR": str(folder), "YOLO_AUTOINSTALL": "false"}
    env |= {"OMP_NUM_THREADS": "1", "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    env |= {} if on else {"YOLO_ATTN": "0"}
    subprocess.run([sys.executable, "-c", SETTINGS], cwd=folder, env=env, check=True, stdout=subprocess.DEVNULL)
    quiet = ["-p", "no:cacheprovider", "-p", "no:randomly", "--tb=no", "--junitxml=outcomes.xml"]
    command = [sys.executable, "-m", "pytest", "tests", *quiet]
    with (folder / "said.txt").open("w") as said:
        return subprocess.Popen(command, cwd=folder, env=env, stdout=said, stderr=said)


def outcomes(folder: Path) -> dict[str, str]:
    """Returns what became of each test."""
    found = {}
    for case in ElementTree.parse(folder / "outcomes.xml").iter("testcase"):
        outcome = {child.tag.replace("failure", "failed") for child in case} & set(OUTCOMES)
        found[f"{case.get('classname')}::{case.get('name')}"] = min(outcome, default="passed")
    return found


def compare(folder: Path) -> dict[str, dict[str, str]]:
    """Runs their tests in both ways, side by side, and returns what became of each test."""
    made = folder / "made"
    make_what_they_download(made)
    shutil.copytree(sources(folder), made / "tests")
    ways = {"without yolo_attn": False, "with yolo_attn": True}
    running = {name: start(made, folder / name, on) for name, on in ways.items()}
    for process in running.values():
        process.wait(timeout=LIMIT)
    return {name: outcomes(folder / name) for name in ways}


def main() -> int:
    """Compares, writes the counts and prints each test that went differently; returns the exit status."""
    with tempfile.TemporaryDirectory(prefix="theirs-") as folder:
        found = compare(Path(folder))
    rows = [
        {"ultralytics": version("ultralytics"), "its tests": name}
        | {outcome: str(list(of.values()).count(outcome)) for outcome in OUTCOMES}
        for name, of in found.items()
    ]
    without, with_us = found.values()
    different = [test for test in without | with_us if without.get(test) != with_us.get(test)]
    for test in different:
        print(f"{test}: {without.get(test)} without yolo_attn, {with_us.get(test)} with it")
    print(write_rows(RESULTS, [row | {"otherwise": str(len(different))} for row in rows], machine("torch")))
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
