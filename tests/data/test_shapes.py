"""The built-in data set: the same each time, valid labels, and never a half-written or a lost folder."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from yolo_attn.data import drawing, shapes
from yolo_attn.errors import AttentionError

COUNTS = {"train": 8, "val": 4}
DATA = Path(shapes.__file__).parent

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


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """A few images are enough for everything but the statistics."""
    monkeypatch.setattr(shapes, "COUNTS", COUNTS)


@pytest.fixture
def detect(tmp_path) -> Path:
    return shapes.generate(tmp_path / "shapes")


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below `folder`, relative path -> content."""
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def rows(label: bytes) -> list[tuple[int, np.ndarray]]:
    """The rows of a label file: class index, numbers."""
    return [(int(row.split()[0]), np.array(row.split()[1:], float)) for row in label.decode().splitlines()]


def corners(box: np.ndarray) -> np.ndarray:
    """Centre x, centre y, width, height -> left, top, right, bottom."""
    return np.concatenate([box[:2] - box[2:] / 2, box[:2] + box[2:] / 2])


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


# What is drawn


@pytest.mark.parametrize("task", shapes.SETS.values())
def test_two_sets_are_the_same(tmp_path, task):
    first, second = (contents(shapes.generate(tmp_path / name / "shapes", task)) for name in "ab")
    assert first == second
    assert len(set(first.values())) > sum(COUNTS.values())  # and the images differ from one another


def test_an_image_depends_on_neither_order_nor_number(detect, monkeypatch):
    monkeypatch.setattr(shapes, "COUNTS", {"train": 1000, "val": 1000})
    files = shapes._files("detect", "val", 3)
    assert files.items() <= {name.replace("\\", "/"): content for name, content in contents(detect).items()}.items()


def test_every_image_can_be_read_and_has_labels_within_it(detect):
    images = sorted((detect / "images").rglob("*.jpg"))
    assert len(images) == sum(COUNTS.values())
    for image in images:
        assert cv2.imread(str(image)).shape == (drawing.SIZE, drawing.SIZE, 3)
        label = detect / "labels" / image.parent.name / f"{image.stem}.txt"
        for number, box in rows(label.read_bytes()):
            assert 0 <= number < len(drawing.CLASSES)
            assert (box[2:] > 0).all()
            assert corners(box).min() > -1e-4
            assert corners(box).max() < 1 + 1e-4


def test_the_validation_images_hold_what_they_should():
    labels = [rows(shapes._files("detect", "val", i)[f"labels/val/{i:04d}.txt"]) for i in range(64)]
    counts = np.bincount([number for label in labels for number, _ in label], minlength=len(drawing.CLASSES))
    assert counts.min() > 0.15 * counts.sum()  # no class is rare
    assert {len(label) for label in labels} >= {0, 1, 2, 3, 4, 5}  # background only, up to a crowd
    sizes = np.array([box[2:].max() * drawing.SIZE for label in labels for _, box in label])
    assert (sizes < 32).mean() > 0.1
    assert (sizes > 64).mean() > 0.1


def test_visible_pixels_belong_to_one_object_and_hidden_objects_have_no_label():
    dropped = 0
    for seed in range(20):
        _, labels = drawing.draw(np.random.default_rng(seed), [0, 1, 2, 3] * 2)
        dropped += 8 - len(labels)
        if labels:
            assert sum(seen.astype(int) for _, seen in labels).max() == 1
    assert 0 < dropped < 80


def test_a_box_is_tight():
    seen = np.zeros((drawing.SIZE, drawing.SIZE), bool)
    seen[10:30, 50:53] = True  # rows, columns
    assert np.allclose(corners(np.array(drawing.box(seen))) * drawing.SIZE, [50, 10, 53, 30])


def test_an_object_is_drawn_where_its_label_says():
    backdrop = np.full((drawing.SIZE, drawing.SIZE, 3), 90, np.float32)
    rng = np.random.default_rng(0)
    for number, outline in enumerate(drawing.OUTLINES):
        mask = drawing.fill(drawing.place(rng, outline))
        changed = (drawing.paint(rng, backdrop, mask, number) != backdrop).any(axis=2)
        assert (changed[mask > 0.5]).mean() > 0.95
        assert not changed[mask == 0].any()


def test_polygons_cover_the_boxes(tmp_path, detect):
    segment = shapes.generate(tmp_path / "shapes-seg", "segment")
    assert contents(segment / "images") == contents(detect / "images")
    polygons, boxes = contents(segment / "labels"), contents(detect / "labels")
    overlaps = []
    for name in boxes:
        for (a, polygon), (b, box) in zip(rows(polygons[name]), rows(boxes[name]), strict=True):
            points = polygon.reshape(-1, 2)
            inner, outer = np.concatenate([points.min(0), points.max(0)]), corners(box)
            assert a == b
            assert len(points) >= 3
            assert (inner[:2] >= outer[:2] - 1e-4).all()
            assert (inner[2:] <= outer[2:] + 1e-4).all()
            overlaps.append(np.prod(inner[2:] - inner[:2]) / np.prod(box[2:]))
    assert np.mean(overlaps) > 0.9  # below 1 where an object shows in two pieces: its polygon follows the larger


def test_each_class_has_its_folder_with_as_many_images(tmp_path):
    root = shapes.generate(tmp_path / "shapes-cls", "classify")
    for split, count in COUNTS.items():
        found = {folder.name: len(list(folder.glob("*.jpg"))) for folder in (root / split).iterdir()}
        assert found == dict.fromkeys(drawing.CLASSES, count // len(shapes.CLASSES))


# The YAMLs


@pytest.mark.parametrize("name", ["shapes", "shapes-seg"])
def test_the_yaml_names_the_classes_and_draws_its_set(tmp_path, name):
    data = yaml.safe_load((DATA / f"{name}.yaml").read_text())
    assert data["path"] == name
    assert tuple(data["names"].values()) == drawing.CLASSES
    root = tmp_path / data["path"]
    exec(data["download"], {"yaml": {**data, "path": root}})  # as Ultralytics does
    assert shapes.is_complete(root, shapes.SETS[name])
    assert len(list((root / data["train"]).iterdir())) == COUNTS["train"]
    assert len(list((root / data["val"]).iterdir())) == COUNTS["val"]


# The folder


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
