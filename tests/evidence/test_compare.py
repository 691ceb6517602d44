"""`yolo-attn compare` in whole: real trainings on a few pictures, killed and gone on with."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support import worse
from yolo_attn.archive import is_whole
from yolo_attn.errors import AttentionError
from yolo_attn.evidence import compare, plan, verdict
from yolo_attn.evidence.comparison import load
from yolo_attn.evidence.ledger import Run, State
from yolo_attn.evidence.options import CompareOptions

EPOCHS = 8  # with fewer the moment to kill a run is gone in a second
WORDS = (
    "compare", "imgsz=160", "batch=4", "workers=0", "lr0=0.00001", "warmup_epochs=0", "optimizer=SGD",
    "controls=False", "project=runs", "name=c",
)  # fmt: skip
LIMIT = 240  # seconds


def start(folder: Path, made: worse.Made, **other) -> subprocess.Popen:
    """Starts a comparison of a base with what cannot be better."""
    said = {"base": made.base, "attention": made.dimmed, "seeds": 2, "epochs": EPOCHS, "data": made.data, **other}
    words = [f"{key}={value}" for key, value in said.items()]
    with (folder / "said.txt").open("w") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "yolo_attn.cli", *WORDS, *words],
            cwd=folder,
            stdout=log,
            stderr=log,
            env=os.environ | {"YOLO_ATTN_OPERATORS": str(worse.OPERATOR)},
        )


def wait_for(what, process: subprocess.Popen) -> None:
    end = time.monotonic() + LIMIT
    while not what():
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.05)


def begun(run: Run) -> bool:
    """Tells whether a run has written a checkpoint, without reading it while it is written."""
    return len(run.rows()) >= 2


def alive(word: str) -> list[int]:
    """Returns the processes whose command has a word in it."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if word in file.read_text().split("\0"):
                found.append(int(file.parent.name))
        except OSError:
            continue
    return found


def gone(process: int) -> bool:
    """Tells whether a process ends within some seconds."""
    end = time.monotonic() + 20
    while Path(f"/proc/{process}").exists() and time.monotonic() < end:
        time.sleep(0.1)
    return not Path(f"/proc/{process}").exists()


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes as Linux shows them")
def test_killed_at_any_moment_it_goes_on_and_repeats_nothing(tmp_path):
    """SIGKILL of the command in its second run, then of a run; the third start finishes, and nothing is made twice.

    What is compared has its gate fixed at 0.2: nobody may be told that it helps, or that it makes no difference.
    """
    module = "yolo_attn.evidence.training"
    before = set(alive(module))
    made_of = worse.make(tmp_path)
    command = start(tmp_path, made_of)
    folder = tmp_path / "runs" / "c"
    wait_for(lambda: (folder / "comparison.json").is_file(), command)
    first, second, third, fourth = load(folder).runs()
    wait_for(lambda: begun(second), command)
    command.send_signal(signal.SIGKILL)
    command.wait()
    assert all(map(gone, set(alive(module)) - before))  # a run that nobody waits for dies with it
    assert first.state(EPOCHS) is State.DONE
    whole = {second: is_whole(second.last)}  # else the kill has met its writing, and it begins anew
    kept = {file: file.stat().st_mtime_ns for file in first.folder.rglob("*") if file.is_file()}
    made = len(second.rows())

    command = start(tmp_path, made_of)
    wait_for(lambda: begun(third), command)
    killed = min(set(alive(module)) - before)
    os.kill(killed, signal.SIGKILL)
    assert gone(killed)
    whole[third] = is_whole(third.last)
    assert command.wait(LIMIT) == 1
    said = (tmp_path / "said.txt").read_text()
    assert f"{third}: was killed: the same command goes on with it" in said
    assert "1 of 4 runs are not done" in (folder / "report.md").read_text()
    assert fourth.state(EPOCHS) is State.DONE

    command = start(tmp_path, made_of)
    assert command.wait(LIMIT) == 0
    assert {file: file.stat().st_mtime_ns for file in first.folder.rglob("*") if file.is_file()} == kept
    for run in (second, third):
        said = run.log.read_text()
        assert ("Resuming training" in said) == whole[run] and run.state(EPOCHS) is State.DONE
    assert 2 <= made < EPOCHS
    lines = (second.folder / "results.csv").read_text().splitlines()[1:]
    assert len(second.rows()) == EPOCHS and len(lines) <= EPOCHS + 1  # an epoch whose checkpoint was not written yet
    assert (folder / "report.html").is_file()
    assert re.search("paper: (worse than the base|undecided)", (folder / "report.md").read_text())
    assert {"sizes", "errors", "shares", "parameters"} <= set(first.said())
    gates = fourth.said()["gates"]
    assert len(gates) == 4 and all(0 < gate["mean"] <= 1 for gate in gates.values())


@pytest.mark.thorough
def test_what_is_equal_is_never_better_and_what_harms_is_worse(tmp_path):
    made = worse.make(tmp_path)
    models = f"{made.dimmed},{made.same},none"
    assert start(tmp_path, made, attention=models, seeds=3, epochs=1).wait(LIMIT) == 0
    text = (tmp_path / "runs" / "c" / "report.md").read_text()
    assert "paper: worse than the base" in text and "no attention is shown to help" in text
    assert re.search("identity: (undecided|failed: it differs from the base by the same amount)", text)


def asked(**other) -> CompareOptions:
    return CompareOptions(
        **{"base": "yolov5n.yaml", "attention": "eca", "data": "shapes.yaml", "controls": False} | other
    )


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"attention": "nothing"}, "nothing"),
        ({"base": "yolov5q.yaml"}, "yolov5q"),
        ({"arguments": {"epoch": "3"}}, "epoch"),
        ({"arguments": {"seed": "3"}}, "sets seed= itself"),
        ({"arguments": {"imgsz": "big"}}, "imgsz"),
    ],
)
def test_what_cannot_be_run_is_said_before(other, said):
    with pytest.raises(AttentionError, match=said):
        plan.make(asked(**other))


def test_a_package_that_is_missing_is_said_before(monkeypatch):
    monkeypatch.setattr(verdict, "PACKAGES", ("statsmodels", "nothing_of_that_name"))
    with pytest.raises(
        AttentionError, match=r"verdicts need nothing_of_that_name: pip install 'yolo_attn\[evidence\]'"
    ):
        compare.command(asked())


def test_missing_data_is_said_before():
    with pytest.raises(AttentionError, match="data=nowhere.yaml cannot be used"):
        compare.command(asked(data="nowhere.yaml"))


def test_a_disk_without_room_is_said_before(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9 - 10**6, 10**6))
    with pytest.raises(AttentionError, match=r"needs about 0.1 GB for 10 runs, and its disk has 0.0 GB"):
        plan.check_room(plan.make(asked(project=str(tmp_path))))


def test_controls_are_there_without_asking(tmp_path):
    made = plan.make(asked(controls=True, project=str(tmp_path), arguments={"imgsz": "64"}))
    roles = {cell.role: cell for cell in made.cells}
    assert roles["again"].model == "yolov5n.yaml" and roles["next scale"].model == "yolov5s.yaml"
    wide = roles.get("wide")
    assert (wide and Path(wide.model).is_file()) or "wider base" in made.missing[0]
