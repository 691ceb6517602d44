"""Drives the tests of this folder by atheris, which looks for input that reaches code nobody reached before.

    pip install atheris
    python -m tests.fuzz                  six minutes for each of the nine tests
    python -m tests.fuzz 30 a_place       half a minute for one

What was found is printed, and the counts are written into results.csv.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.machine import machine, update_rows

RESULTS = Path(__file__).with_name("results.csv")
SECONDS = 360
DRIVE = """
import sys, atheris
with atheris.instrument_imports(include=["yolo_attn"]):
    from tests.fuzz import test_fuzz
import torch
torch.set_num_threads(1)
test = getattr(test_fuzz, sys.argv.pop(1))
atheris.Setup(sys.argv, test.hypothesis.fuzz_one_input)
atheris.Fuzz()
"""


def names() -> list[str]:
    """Returns the names of the tests that take what is made for them."""
    from tests.fuzz import test_fuzz

    return [name for name, test in vars(test_fuzz).items() if hasattr(test, "hypothesis")]


def drive(name: str, seconds: int) -> dict[str, str]:
    """Drives one test and returns its row of the results."""
    with tempfile.TemporaryDirectory() as corpus:
        limits = [f"-max_total_time={seconds}", "-timeout=120", "-rss_limit_mb=8192", f"-artifact_prefix={corpus}/"]
        done = subprocess.run(
            [sys.executable, "-c", DRIVE, name, *limits, corpus],
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | {"YOLO_AUTOINSTALL": "false", "YOLO_VERBOSE": "false"},
        )
    counted = re.findall(r"^#(\d+)\t.* cov: (\d+)", done.stderr, re.MULTILINE)
    runs, covered = counted[-1] if counted else ("0", "0")
    if done.returncode:
        print(done.stdout[-3000:], done.stderr[-3000:], sep="\n")
    return {
        "test": name.removeprefix("test_"),
        "seconds": str(seconds),
        "inputs": runs,
        "branches": covered,
        "found": "something" if done.returncode else "nothing",
    }


def main(seconds: int = SECONDS, *wanted: str) -> int:
    """Drives the tests, one after another; returns the exit status."""
    began, rows = time.time(), []
    for name in names():
        if not wanted or name.removeprefix("test_") in wanted:
            rows.append(drive(name, seconds))
            print(f"{(time.time() - began) / 60:.0f} min", rows[-1], flush=True)
    print(update_rows(RESULTS, rows, machine("torch", "hypothesis", "atheris")))
    return 1 if any(row["found"] != "nothing" for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:2]), *sys.argv[2:]))
