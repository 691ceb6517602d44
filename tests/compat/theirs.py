"""Ultralytics' own tests, which its source distribution holds: with the add-on the same ones pass as without it.

    python -m tests.compat.theirs          in the running environment's release; about ten minutes on two cores

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

from benchmarks.machine import machine, write_rows
from tests.support import environments

RESULTS = Path(__file__).with_name("theirs.csv")
OUTCOMES = ("passed", "failed", "error", "skipped")
LIMIT = 1800  # seconds

# Runs in each environment, before the tests: the settings, weights and data sets that theirs look for.
MAKE = """
import cv2, numpy as np, sys
from pathlib import Path
from ultralytics import YOLO, settings
root = Path.cwd()
folders = {name: root / name.partition("_")[0] for name in ("datasets_dir", "weights_dir", "runs_dir")}
settings.update({name: str(folder) for name, folder in folders.items()} | {"sync": False})
from ultralytics.cfg import TASK2MODEL
from ultralytics.utils import ASSETS
spaced = root / "weights" / "path with spaces"
spaced.mkdir(parents=True)
for name in [*TASK2MODEL.values(), "yolo11n-seg.pt"]:
    YOLO(Path(name).with_suffix(".yaml")).save(root / "weights" / name)
    (spaced / name).write_bytes((root / "weights" / name).read_bytes())
box = "0.5 0.5 0.4 0.4"
corners = "0.3 0.3 0.7 0.3 0.7 0.7 0.3 0.7"
labels = {"coco8": box, "coco8-seg": corners, "coco8-pose": box + " 0.5 0.5 2" * 17, "dota8": corners}
picture = cv2.imread(str(ASSETS / "bus.jpg"))
picture = cv2.resize(picture, (320, 320))
for name in [*labels, "cityscapes8", "depth8-png"]:
    for part in ("train", "val"):
        for i in range(4):
            where = root / "datasets" / name
            images, text = where / "images" / part / f"{i}.jpg", where / "labels" / part / f"{i}.txt"
            images.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(images), np.roll(picture, 40 * i, axis=1))
            if name in labels:
                text.parent.mkdir(parents=True, exist_ok=True)
                text.write_text(f"0 {labels[name]}")
            else:
                other, dtype = ("masks", np.uint8) if name == "cityscapes8" else ("depth", np.uint16)
                mask = where / other / part / f"{i}.png"
                mask.parent.mkdir(parents=True, exist_ok=True)
                cv2.imwrite(str(mask), np.full((320, 320), 1000 if dtype is np.uint16 else i, dtype))
for part in ("train", "val"):
    for label in range(10):
        image = root / "datasets" / "imagenet10" / part / f"c{label}" / "0.jpg"
        image.parent.mkdir(parents=True)
        cv2.imwrite(str(image), np.roll(picture, 30 * label, axis=0))
"""


def sources(folder: Path) -> Path:
    """Downloads Ultralytics' source distribution into `folder` and returns its tests."""
    name = f"ultralytics=={version('ultralytics')}"
    environments.pip("download", "--quiet", "--no-deps", "--no-binary", "ultralytics", "--dest", folder, name)
    with tarfile.open(next(folder.glob("ultralytics-*.tar.gz"))) as archive:
        archive.extractall(folder, filter="data")
    return next(folder.glob("ultralytics-*/tests"))


def start(tests: Path, folder: Path, on: bool) -> subprocess.Popen:
    """Starts their tests in a folder of its own, with the add-on or with its hook switched off."""
    shutil.copytree(tests, folder / "tests")
    env = environments.clean_variables() | {"YOLO_CONFIG_DIR": str(folder), "YOLO_AUTOINSTALL": "false"}
    env |= {"OMP_NUM_THREADS": "1", "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    env |= {} if on else {"YOLO_ATTN": "0"}
    subprocess.run([sys.executable, "-c", MAKE], cwd=folder, env=env, check=True, stdout=subprocess.DEVNULL)
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
    tests = sources(folder)
    ways = {"without yolo_attn": False, "with yolo_attn": True}
    for name in ways:
        (folder / name).mkdir()
    running = {name: start(tests, folder / name, on) for name, on in ways.items()}
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
