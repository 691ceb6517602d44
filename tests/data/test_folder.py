"""The built-in set's folder: never half written, never lost, and nobody else's."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.small_sets import contents
from yolo_attn.data import shapes
from yolo_attn.errors import AttentionError

# A process that says when it has imported everything, waits for a line, and generates the sets it was given.
PROCESS = """
import sys, time
import ultralytics.utils
from yolo_attn.data import drawing, shapes
shapes.COUNTS = {"train": 8, "val": 4}
draw, pause = shapes._files, float(sys.argv[1])
shapes._files = lambda task, split, index: (time.sleep(pause * index), draw(task, split, index))[1]
print("ready", flush=True)
sys.stdin.readline()
for root in sys.argv[2:]:
    print(shapes.generate(root), flush=True)
"""


def start(pause: float, *roots: Path) -> subprocess.Popen:
    """Starts a process that is about to generate the sets `roots`, and waits `pause` seconds after the first image."""
    return subprocess.Popen(
        [sys.executable, "-c", PROCESS, str(pause), *map(str, roots)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "YOLO_VERBOSE": "false"},  # no progress bar among the output
    )


def forbid_drawing(monkeypatch):
    monkeypatch.setattr(shapes, "_files", lambda *_: pytest.fail("an image was drawn"))


def test_a_complete_set_is_left_alone_with_all_that_was_added(detect, monkeypatch):
    (detect / "labels" / "train.cache").write_bytes(b"written by Ultralytics")
    before = contents(detect)
    forbid_drawing(monkeypatch)
    assert shapes.is_complete(detect, "detect")
    assert shapes.generate(str(detect)) == detect
    assert contents(detect) == before


def truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])


def change_format(file: Path) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), "format": shapes.FORMAT - 1}))


@pytest.mark.parametrize(
    ("damage", "name"),
    [
        (Path.unlink, "images/train/0000.jpg"),
        (truncate, "images/val/0001.jpg"),
        (Path.unlink, "labels/train/0003.txt"),
        (change_format, shapes.MANIFEST),
    ],
)
def test_a_broken_set_is_noticed_and_drawn_again(detect, damage, name):
    before = contents(detect)
    damage(detect / name)
    assert not shapes.is_complete(detect, "detect")
    shapes.generate(detect)
    assert shapes.is_complete(detect, "detect")
    assert contents(detect) == before
    assert list(detect.parent.iterdir()) == [detect]


def test_a_set_of_another_task_is_not_taken_for_this_one(detect):
    assert not shapes.is_complete(detect, "segment")


def test_an_empty_folder_is_filled(tmp_path):
    (tmp_path / "shapes").mkdir()
    assert shapes.is_complete(shapes.generate(tmp_path / "shapes"), "detect")


@pytest.mark.parametrize("broken", [False, True])
@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
def test_an_interrupted_run_leaves_nothing(tmp_path, monkeypatch, error, broken):
    if broken:
        (shapes.generate(tmp_path / "shapes") / "images/train/0000.jpg").unlink()
    draw, calls = shapes._files, []

    def interrupted(*args):
        calls.append(args)
        if len(calls) > 3:
            assert len(list(tmp_path.rglob("*.jpg"))) == 3  # it was in the middle of writing
            raise error
        return draw(*args)

    monkeypatch.setattr(shapes, "_files", interrupted)
    with pytest.raises(error):
        shapes.generate(tmp_path / "shapes")
    assert not list(tmp_path.iterdir())


def no_manifest(root: Path) -> None:
    shapes.generate(root)
    (root / shapes.MANIFEST).unlink()


def others_manifest(root: Path) -> None:
    root.mkdir()
    (root / shapes.MANIFEST).write_text('{"circles": 3}')


def photographs(root: Path) -> None:
    (root / "images" / "train").mkdir(parents=True)
    (root / "images" / "train" / "cat.jpg").write_bytes(b"a cat")


@pytest.mark.parametrize("make", [no_manifest, others_manifest, photographs, Path.touch])
def test_what_is_not_ours_is_left_untouched(tmp_path, monkeypatch, make):
    root = tmp_path / "shapes"
    make(root)
    before = contents(tmp_path)
    forbid_drawing(monkeypatch)
    with pytest.raises(AttentionError, match="remove or rename it") as caught:
        shapes.generate(root)
    assert str(root) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert contents(tmp_path) == before


def test_a_folder_that_cannot_be_written_is_named_with_the_mend(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(AttentionError, match=r"yolo settings datasets_dir=") as caught:
        shapes.generate(tmp_path / "file" / "shapes")
    assert str(tmp_path / "file") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_full_disk_leaves_nothing(tmp_path, monkeypatch):
    def full(file, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(AttentionError, match="No space left on device"):
        shapes.generate(tmp_path / "shapes")
    assert not list(tmp_path.iterdir())


def test_an_unknown_task_is_refused(tmp_path):
    with pytest.raises(AttentionError, match="'pose'.*detect, segment, classify"):
        shapes.generate(tmp_path / "shapes", "pose")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("step", ["is_complete", "_write"])
def test_the_slower_of_two_keeps_the_faster_ones_set(tmp_path, monkeypatch, step):
    root, original = tmp_path / "shapes", getattr(shapes, step)

    def overtaken(*args):
        result = original(*args)
        monkeypatch.setattr(shapes, step, original)
        before = set(tmp_path.iterdir())
        (shapes.generate(root) / "first").touch()
        assert before < set(tmp_path.iterdir())  # and the faster one does not take the slower one's folder away
        return result

    monkeypatch.setattr(shapes, step, overtaken)
    assert shapes.generate(root) == root
    assert (root / "first").exists()
    assert list(tmp_path.iterdir()) == [root]


def test_a_broken_set_may_be_removed_by_another_process_first(detect, monkeypatch):
    (detect / shapes.MANIFEST).unlink()
    original = shapes.is_complete

    def removed(*args):
        result = original(*args)
        monkeypatch.setattr(shapes, "is_complete", original)
        shutil.rmtree(detect)
        return result

    monkeypatch.setattr(shapes, "is_complete", removed)
    assert original(shapes.generate(detect), "detect")


def test_processes_at_once_end_well_and_a_killed_one_leaves_no_set(tmp_path):
    new, broken, killed = (tmp_path / name / "shapes" for name in ("new", "broken", "killed"))
    (shapes.generate(broken) / "labels" / "val" / "0000.txt").unlink()
    racers, victim = [start(0, new, broken) for _ in range(2)], start(60, killed)
    for process in (*racers, victim):
        assert process.stdout.readline() == "ready\n", process.stderr.read()
    for process in (*racers, victim):
        process.stdin.write("go\n")
        process.stdin.flush()

    for process in racers:
        output, errors = process.communicate(timeout=30)
        assert output.split() == [str(new), str(broken)], errors
        assert process.returncode == 0
    expected = contents(shapes.generate(tmp_path / "expected"))
    for root in (new, broken):
        assert contents(root) == expected
        assert list(root.parent.iterdir()) == [root]

    deadline = time.monotonic() + 30
    while not list(killed.parent.rglob("*.jpg")) and time.monotonic() < deadline:
        time.sleep(0.05)
    victim.kill()
    victim.communicate()
    assert list(killed.parent.rglob("*.jpg"))
    assert not killed.exists()
    shapes.generate(killed)
    assert list(killed.parent.iterdir()) == [killed]  # what the killed process left is gone
