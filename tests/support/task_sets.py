"""Sets of four pictures for each task, all from the one that Ultralytics ships: enough for a mode to go its way."""

from pathlib import Path

import cv2
import numpy as np
import yaml
from ultralytics.utils import ASSETS

SIDE = 320
PARTS = ("train", "val")
BOX = "0.5 0.5 0.4 0.4"
CORNERS = "0.3 0.3 0.7 0.3 0.7 0.7 0.3 0.7"
LABELS = {"detect": BOX, "segment": CORNERS, "obb": CORNERS, "pose": BOX + " 0.5 0.5 2" * 17}
MAPS = {"semantic": ("masks", np.uint8), "depth": ("depth", np.uint16)}  # the folder of what is learnt
FURTHER = {"pose": {"kpt_shape": [17, 3]}, "semantic": {"masks_dir": "masks"}, "depth": {"depth_scale": 1000}}


def picture(shift: int) -> np.ndarray:
    """Returns the picture, (320, 320, 3), moved to the right by `shift` pixels."""
    whole = cv2.resize(cv2.imread(str(ASSETS / "bus.jpg")), (SIDE, SIDE))
    return np.roll(whole, shift, axis=1)


def save(file: Path, image: np.ndarray) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(file), image)


def draw(root: Path, task: str) -> Path:
    """Draws the set of a task into the folder `root`, four pictures in each part, and returns it."""
    if task == "classify":
        for part in PARTS:
            for label in range(10):
                save(root / part / f"c{label}" / "0.jpg", picture(30 * label))
        return root
    for part in PARTS:
        for i in range(4):
            save(root / "images" / part / f"{i}.jpg", picture(40 * i))
            if task in MAPS:
                folder, dtype = MAPS[task]
                values = np.full((SIDE, SIDE), 1000 * (i + 1) if task == "depth" else i % 3, dtype)
                save(root / folder / part / f"{i}.png", values)
            else:
                label = root / "labels" / part / f"{i}.txt"
                label.parent.mkdir(parents=True, exist_ok=True)
                label.write_text(f"{i % 3 if task != 'pose' else 0} {LABELS[task]}\n")
    return root


def data(root: Path, task: str) -> str:
    """Draws the set of a task and returns what `data=` takes: its YAML, of a classification its folder."""
    draw(root, task)
    if task == "classify":
        return str(root)
    names = {0: "person"} if task in ("pose", "depth") else dict(enumerate(("person", "bus", "sky")))
    said = {"path": str(root), "train": "images/train", "val": "images/val", "names": names}
    file = root / "data.yaml"
    file.write_text(yaml.safe_dump(said | FURTHER.get(task, {})))
    return str(file)
