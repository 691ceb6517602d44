"""The built-in set's images: the same each time, and valid labels."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from tests.support.small_sets import COUNTS, contents
from yolo_attn.data import drawing, shapes

DATA = Path(shapes.__file__).parent


def rows(label: bytes) -> list[tuple[int, np.ndarray]]:
    """The rows of a label file: class index, numbers."""
    return [(int(row.split()[0]), np.array(row.split()[1:], float)) for row in label.decode().splitlines()]


def corners(box: np.ndarray) -> np.ndarray:
    """Centre x, centre y, width, height -> left, top, right, bottom."""
    return np.concatenate([box[:2] - box[2:] / 2, box[:2] + box[2:] / 2])


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
        image = backdrop.copy()
        drawing.paint(rng, image, mask, number)
        changed = (image != backdrop).any(axis=2)
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
