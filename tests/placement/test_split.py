"""The validation images in two halves that share none, as Ultralytics reads them."""

import cv2
import numpy as np
import pytest
import yaml
from ultralytics.data.utils import check_det_dataset

from yolo_attn.errors import AttentionError
from yolo_attn.placement import split


def made(folder, images: int) -> dict:
    """Returns what Ultralytics reads of a data set with so many validation images."""
    for part, count in (("train", 2), ("val", images)):
        (folder / "set" / "images" / part).mkdir(parents=True)
        for i in range(count):
            cv2.imwrite(str(folder / "set" / "images" / part / f"{i}.png"), np.zeros((8, 8, 3), np.uint8))
    said = {"path": str(folder / "set"), "train": "images/train", "val": "images/val", "names": {0: "a", 1: "b"}}
    (folder / "set.yaml").write_text(yaml.safe_dump({**said, "kpt_shape": [4, 3]}))
    return check_det_dataset(str(folder / "set.yaml"))


def test_the_halves_are_all_images_each_once_and_the_same_again(tmp_path):
    data = made(tmp_path, 21)
    found = split.halves(data, tmp_path / "one")
    read = [check_det_dataset(str(file)) for file in (found.search, found.confirm)]
    halves = [list(split.pictures(one["val"])) for one in read]
    assert sorted(sum(halves, [])) == list(split.pictures(data["val"])) and found.images == (11, 10)
    assert halves[0] != sorted(sum(halves, []))[:11]  # no run of names, which may be one scene
    assert all(one["train"] == data["train"] and one["names"] == data["names"] for one in read)
    assert all(one["kpt_shape"] == [4, 3] for one in read)
    again = split.halves(data, tmp_path / "two")
    assert (tmp_path / "two" / "search.txt").read_text() == (tmp_path / "one" / "search.txt").read_text()
    assert again.images == found.images


def test_a_list_of_images_is_split_like_a_folder(tmp_path):
    data = made(tmp_path, 20)
    (tmp_path / "set" / "val.txt").write_text("".join(f"./images/val/{i}.png\n" for i in range(20)))
    listed = list(split.pictures(str(tmp_path / "set" / "val.txt")))
    assert listed == list(split.pictures(data["val"]))


def test_too_few_images_are_a_line(tmp_path):
    with pytest.raises(AttentionError, match="19 validation images are too few"):
        split.halves(made(tmp_path, 19), tmp_path / "one")
    assert not (tmp_path / "one").exists()
