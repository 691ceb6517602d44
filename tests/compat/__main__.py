"""Runs the tests of this folder, and the whole rounds of the stock command, in every supported release of Ultralytics.

    python -m tests.compat                   the releases below; releases.csv is written, and rendered by docs.render
    python -m tests.compat 8.3.0 8.4.50      these alone; their rows are printed

Each release has an environment of its own below `.compat/`, which sees the packages of the running one, torch among
them, and has what that release pins in their place. It takes about two minutes a release on two cores.
"""

import re
import shutil
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

from benchmarks.machine import machine, write_rows
from tests.support import environments
from tests.support.environments import ROOT

RELEASES = ("8.3.0", "8.3.50", "8.3.100", "8.3.150", "8.3.200", "8.3.253")
RELEASES += ("8.4.0", "8.4.50", "8.4.100", "8.4.150", version("ultralytics"))
ROUNDS = "yolo11n-eca or checkpoint_loads or bit_identical"
TESTS = {"tests": ["tests/compat"], "whole rounds": ["tests/stock/test_yolo.py", "-k", ROUNDS]}
RESULTS = Path(__file__).with_name("releases.csv")


def environment(release: str) -> Path:
    """Makes the environment of a release and returns its Python."""
    folder = ROOT / ".compat" / release
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    made = environments.create_environment(folder)
    environments.see_running_packages(made, hooks=True)
    environments.pip("--python", made.python, "install", "--quiet", f"ultralytics=={release}")
    return made.python


def run(release: str) -> tuple[dict[str, str], bool]:
    """Tests a release and returns its row of the results, and whether everything passed."""
    began = time.time()
    python = environment(release)
    said = "import cv2, numpy, ultralytics as u; print(u.__version__, numpy.__version__, cv2.__version__)"
    found = subprocess.run([python, "-c", said], cwd=ROOT, capture_output=True, text=True, check=True)
    row = dict(zip(("ultralytics", "numpy", "OpenCV"), found.stdout.splitlines()[-1].split(), strict=True))
    assert row["ultralytics"] == release, row
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
    done = [run(release) for release in releases or dict.fromkeys(RELEASES)]
    if not releases:
        print(write_rows(RESULTS, [row for row, _ in done], machine("torch")))
    return 0 if all(passed for _, passed in done) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
