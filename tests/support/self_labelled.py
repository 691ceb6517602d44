"""Small networks with attention for each task, and data sets whose labels are what the network finds in them.

Nothing is trained: there is an accuracy all the same, and that of a changed network is lower.
"""

from pathlib import Path

import cv2
import numpy as np
import yaml

from tests.support import tiny
from tests.support.live_models import PICTURES, lively

SIZE, IMAGES, CLASSES = 160, 10, 3
HEADS = {
    "detect": ["Detect", ["nc"]], "segment": ["Segment", ["nc", 8, 16]], "pose": ["Pose", ["nc", [4, 3]]],
    "obb": ["OBB", ["nc", 1]], "classify": ["Classify", ["nc"]],
}  # fmt: skip
FURTHER = {"pose": {"kpt_shape": [4, 3]}}


def rows(task: str) -> dict:
    """Returns a network of strides 8, 16 and 32 with four layers of attention: rows 1, 4 and 6, and inside row 2."""
    model = tiny.detector(
        (0, ["CBAM", [{"start": "paper"}]]), (1, ["ECA", [{"start": "identity"}]]), (2, "SE"),
        nc=CLASSES, widths=(16, 32, 32),
    )  # fmt: skip
    model["backbone"].insert(2, [-1, 1, "C3_ECA", [16]])
    model["head"] = [[-1 if task == "classify" else [2, 4, 6], 1, *HEADS[task]]]
    return {**model, **FURTHER.get(task, {})}


def make(task: str, folder: Path, model_rows: dict | None = None, aside: bool = True) -> tuple[Path, str]:
    """Returns a checkpoint, written into the folder, and what `data=` takes for the set that is drawn beside it.

    Of a detection eight boxes a picture are labelled, some a little aside and none in the first picture; with
    `aside=False` they all are, where they were found.
    """
    model = lively(str(tiny.written(model_rows or rows(task), folder / f"{task}.yaml")))
    file = folder / f"{task}.pt"
    # What a training writes; up to 8.3.150 a checkpoint without it is a detector's, and its keypoints are forgotten.
    model.ckpt = {"train_args": {**model.model.args, "task": task}}
    if task == "pose":
        model.model.kpt_shape = FURTHER[task]["kpt_shape"]
    model.save(file)
    images = [picture(i) for i in range(IMAGES)]
    found = model.predict(images, imgsz=SIZE, conf=0.1, verbose=False)
    if task == "classify":
        for i, (image, one) in enumerate(zip(images, found, strict=True)):
            kind = one.probs.top1 if i % 3 else i % CLASSES
            for part in ("train", "val"):
                for name in range(CLASSES):
                    (folder / "set" / part / str(name)).mkdir(parents=True, exist_ok=True)
                cv2.imwrite(str(folder / "set" / part / str(kind) / f"{i}.png"), image)
        return file, str(folder / "set")
    for name in ("images", "labels"):
        (folder / "set" / name).mkdir(parents=True, exist_ok=True)
    for i, (image, one) in enumerate(zip(images, found, strict=True)):
        cv2.imwrite(str(folder / "set" / "images" / f"{i}.png"), image)
        boxes = range(len(one) if not aside else min(len(one), 8) if i else 0)
        lines = [label(task, one, box, i if aside else 0) for box in boxes]
        (folder / "set" / "labels" / f"{i}.txt").write_text("\n".join(lines))
    names = {i: str(i) for i in range(CLASSES)}
    said = {"path": str(folder / "set"), "train": "images", "val": "images", "names": names}
    (folder / "set.yaml").write_text(yaml.safe_dump({**said, **FURTHER.get(task, {})}))
    return file, str(folder / "set.yaml")


def picture(i: int) -> np.ndarray:
    """Returns a part of one of Ultralytics' pictures, of a size and shape of its own."""
    whole = cv2.imread(str(PICTURES[i % 2]))
    height, width = (int(side * (0.6 + 0.04 * i)) for side in whole.shape[:2])
    return cv2.resize(whole[:height, :width], (SIZE, SIZE - 32 * (i % 3)))


def label(task: str, one, i: int, image: int) -> str:
    """Returns the label line of a result's detection: its box, a little aside, as the task's labels have it."""
    boxes = one.obb if task == "obb" else one.boxes
    kind = int(boxes.cls[i])
    if task == "obb":
        corners = boxes.xyxyxyxyn[i].flatten()
        return f"{kind} " + " ".join(f"{value:.5f}" for value in corners.clamp(0, 1))
    x, y, w, h = boxes.xywhn[i].tolist()
    x = min(max(x + 0.1 * w * (image % 3), w / 2), 1 - w / 2)
    if task == "segment":
        corners = [(x - w / 2, y - h / 2), (x + w / 2, y - h / 2), (x + w / 2, y + h / 2), (x - w / 2, y + h / 2)]
        return f"{kind} " + " ".join(f"{min(max(value, 0), 1):.5f}" for corner in corners for value in corner)
    values = one.keypoints.xyn[i].flatten().clamp(0, 1).tolist() if task == "pose" else []
    points = [f"{value:.5f}" for value in values]
    points = [" ".join([*points[k : k + 2], "2"]) for k in range(0, len(points), 2)]
    return " ".join([f"{kind} {x:.5f} {y:.5f} {w:.5f} {h:.5f}", *points])
