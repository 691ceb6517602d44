"""Runs the tests of this folder, and the whole rounds of the stock command, in every supported release of Ultralytics.

    python -m tests.compat                   the releases below; the table in docs/reliability.md is written anew
    python -m tests.compat 8.3.0 8.4.50      these alone; the table is printed

Each release has an environment of its own below `.compat/`, which sees the packages of the running one, torch among
them, and has what that release pins in their place. It takes about two minutes a release on two cores.
"""

import re
import shutil
import subprocess
import sys
import sysconfig
import time
from importlib.metadata import version
from pathlib import Path

from tests.support.environments import ROOT, YOLO_SCRIPT, clean_variables

RELEASES = ("8.3.0", "8.3.50", "8.3.100", "8.3.150", "8.3.200", "8.3.253")
RELEASES += ("8.4.0", "8.4.50", "8.4.100", "8.4.150", version("ultralytics"))
ROUNDS = "yolo11n-eca or checkpoint_loads or bit_identical"
TESTS = (["tests/compat"], ["tests/stock/test_yolo.py", "-k", ROUNDS])
PAGE = ROOT / "docs" / "reliability.md"
MARKS = "<!-- python -m tests.compat -->\n", "<!-- end -->\n"
HEADER = "| ultralytics | numpy | OpenCV | tests | whole rounds | minutes |\n|---|---|---|---|---|---|\n"


def environment(release: str) -> Path:
    """Makes the environment of a release and returns its Python."""
    folder = ROOT / ".compat" / release
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    site = Path(sysconfig.get_path("purelib", "venv", {"base": str(folder)}))
    (site / "running.pth").write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n")
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check", "install", "--quiet"]
    done = subprocess.run(
        [*pip, f"ultralytics=={release}"], env=clean_variables(), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"ultralytics {release} cannot be installed: {done.stderr.strip().splitlines()[-1]}")
    script = folder / "bin" / "yolo"
    script.write_text(YOLO_SCRIPT.format(python=python))
    script.chmod(0o755)
    return python


def run(release: str) -> tuple[str, bool]:
    """Tests a release and returns its row of the table, and whether everything passed."""
    began = time.time()
    python = environment(release)
    said = "import cv2, numpy, ultralytics as u; print(u.__version__, numpy.__version__, cv2.__version__)"
    found = subprocess.run([python, "-c", said], cwd=ROOT, capture_output=True, text=True, check=True)
    versions = found.stdout.splitlines()[-1].split()
    assert versions[0] == release, versions
    results, passed = [], True
    for tests in TESTS:
        quiet = ["-p", "no:cacheprovider", "--show-capture=no", "--tb=short"]
        done = subprocess.run(
            [python, "-m", "pytest", "-n", "2", *quiet, *tests], cwd=ROOT, capture_output=True, text=True, check=False
        )
        passed &= done.returncode == 0
        if done.returncode:
            said = [line[:200] for line in done.stdout.splitlines() if re.match("E  |FAILED|ERROR", line)]
            print("\n".join(said[:20] + said[20:][-20:]), flush=True)
        counts = re.findall(r"\d+ (?:passed|failed|skipped|errors?)", done.stdout.splitlines()[-1])
        results.append(", ".join(counts) or "none ran")
    row = " | ".join([*versions, *results, f"{(time.time() - began) / 60:.1f}"])
    print(f"| {row} |", flush=True)
    return f"| {row} |\n", passed


def main(releases: list[str]) -> int:
    """Tests `releases`, or all; returns the exit status."""
    print(f"Python {sys.version.split()[0]}, torch {version('torch')}\n{HEADER}", end="", flush=True)
    done = [run(release) for release in releases or dict.fromkeys(RELEASES)]
    if not releases:
        before, after = PAGE.read_text().split(MARKS[0])[0], PAGE.read_text().split(MARKS[1])[1]
        said = f"\nPython {sys.version.split()[0]}, torch {version('torch')}:\n\n"
        rows = "".join(row for row, _ in done)
        PAGE.write_text(f"{before}{MARKS[0]}{said}{HEADER}{rows}{MARKS[1]}{after}")
    return 0 if all(passed for _, passed in done) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
