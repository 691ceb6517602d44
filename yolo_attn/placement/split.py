"""The validation images in two halves: one is searched on, and what was found is confirmed on the other."""

import random
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from ultralytics.data.utils import IMG_FORMATS

from yolo_attn.errors import AttentionError

LEAST = 20  # images: ten for each half, with which an interval still says something
SEED = 0
SEARCH, CONFIRM = "search", "confirm"
LEFT_OUT = ("train", "val", "test", "minival", "download", "yaml_file")  # said anew, or not needed any more


class Split(NamedTuple):
    """The data set's YAML of each half, and their numbers of images."""

    search: Path
    confirm: Path
    images: tuple[int, int]


def halves(data: Mapping[str, Any], folder: Path, seed: int = SEED) -> Split:
    """Writes both halves into a folder: lists of images and a YAML for each. The training images are those of `data`.

    Args:
        data: What Ultralytics read of a data set that is no classifier's.
        folder: Where `search.txt`, `search.yaml`, `confirm.txt` and `confirm.yaml` are written.
        seed: Of the permutation. The same images and seed give the same halves.

    Raises:
        AttentionError: There are too few images to split.
    """
    images = list(pictures(data["val"]))
    if len(images) < LEAST:
        raise AttentionError(
            f"{len(images)} validation images are too few to search on one half and confirm on the other: "
            f"{LEAST} are the least"
        )
    random.Random(seed).shuffle(images)
    middle = (len(images) + 1) // 2
    said = {key: value for key, value in data.items() if key not in LEFT_OUT} | {"path": str(data["path"])}
    train = data["train"]
    said["train"] = list(map(str, train)) if isinstance(train, list) else str(train)
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for name, half in ((SEARCH, images[:middle]), (CONFIRM, images[middle:])):
        listed = (folder / f"{name}.txt").resolve()
        listed.write_text("".join(f"{image}\n" for image in sorted(half)), encoding="utf-8")
        files.append(folder / f"{name}.yaml")
        files[-1].write_text(yaml.safe_dump({**said, "val": str(listed)}, sort_keys=False), encoding="utf-8")
    return Split(files[0], files[1], (middle, len(images) - middle))


def pictures(part: Any) -> Iterator[str]:
    """Yields the images of a part of a data set, sorted: a folder, a list of images in a file, or several of them."""
    found: set[str] = set()
    for path in map(Path, part if isinstance(part, list) else [part]):
        if path.is_dir():
            found |= {str(file) for file in path.rglob("*") if file.suffix[1:].lower() in IMG_FORMATS}
        elif path.is_file():
            lines = path.read_text(encoding="utf-8").split("\n")
            beside = f"{path.parent}/"  # as Ultralytics reads a list
            found |= {line.replace("./", beside, 1) if line.startswith("./") else line for line in lines if line}
    yield from sorted(found)
