"""What a run's last checkpoint finds and misses: AP by the objects' size, and TIDE's kinds of errors, by hotcoco.

Bolya et al., "TIDE: A General Toolbox for Identifying Object Detection Errors", 2020, arXiv 2008.08115.
"""

import contextlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

from PIL import Image
from ultralytics import YOLO
from ultralytics.data.utils import exif_size

from yolo_attn.evidence.layers import attention, unfused
from yolo_attn.evidence.ledger import Run
from yolo_attn.evidence.spread import watched

SIZES = {"APs": "small", "APm": "medium", "APl": "large"}
ERRORS = ("Cls", "Loc", "Both", "Dupe", "Bkg", "Miss")
RESULT = ("image_id", "category_id", "bbox", "score")  # a pose has keypoints, too
BOXES = ("detect", "segment", "pose")


def of(run: Run) -> dict[str, dict[str, Any]]:
    """Returns `sizes`, AP in points, `errors`, the AP50 in points that mending each kind would bring, and `gates`.

    These are how far the values of each attention layer's gate spread over the images (`yolo_attn.evidence.spread`).
    Nothing for tasks without upright boxes.
    """
    model = YOLO(run.last)
    if model.task not in BOXES:
        return {}
    seen: list[Any] = []
    model.add_callback("on_val_end", seen.append)
    where = {"project": str(run.folder), "name": "predictions", "exist_ok": True}
    with contextlib.ExitStack() as opened:
        layers = attention(unfused(model)).items()
        watches = {path: opened.enter_context(watched(layer, list(layer.gates))) for path, layer in layers}
        model.val(save_json=True, plots=False, verbose=False, **where)
    gates = {path: asdict(spread) for path, watch in watches.items() if (spread := watch.spread())}
    validator = seen[-1]
    labels = validator.dataloader.dataset.labels
    numbers = {_image_id(label["im_file"]): i for i, label in enumerate(labels)}
    if len(numbers) < len(labels):  # two pictures of one name in two folders, which Ultralytics' file cannot tell apart
        return {"gates": gates}
    classes = {category: k for k, category in enumerate(validator.class_map)}
    found = [
        {**one, "image_id": numbers[one["image_id"]], "category_id": classes[one["category_id"]]}
        for one in validator.jdict
    ]
    return {"gates": gates, **measured(ground_truth(labels, validator.names), found)}


def ground_truth(labels: list[dict], names: dict[int, str]) -> dict[str, list]:
    """Returns the COCO data set of what Ultralytics has read: an image's number is its place in `labels`."""
    sizes = [exif_size(Image.open(label["im_file"])) for label in labels]  # Ultralytics drops them from its labels
    annotations: list[dict] = []
    for i, (label, (width, height)) in enumerate(zip(labels, sizes, strict=True)):
        for cls, (x, y, w, h) in zip(label["cls"].ravel().tolist(), label["bboxes"].tolist(), strict=True):
            w, h = w * width, h * height
            box = [x * width - w / 2, y * height - h / 2, w, h]
            annotations.append(
                {"id": len(annotations) + 1, "image_id": i, "category_id": int(cls), "bbox": box, "area": w * h,
                 "iscrowd": 0}
            )  # fmt: skip
    images = [
        {"id": i, "file_name": Path(label["im_file"]).name, "height": height, "width": width}
        for i, (label, (width, height)) in enumerate(zip(labels, sizes, strict=True))
    ]
    categories = [{"id": k, "name": name} for k, name in names.items()]
    return {"images": images, "annotations": annotations, "categories": categories}


def measured(truth: dict[str, list], found: list[dict]) -> dict[str, dict[str, float]]:
    """Returns what `of` does, of the boxes `found` in COCO's form; sizes without an object are left out."""
    from hotcoco import COCO, COCOeval

    if not found:
        return {"sizes": {}, "errors": {}}
    coco = COCO(truth)
    evaluation = COCOeval(coco, coco.load_res([{k: one[k] for k in RESULT} for one in found]), "bbox")
    evaluation.run()
    results, errors = evaluation.get_results(), evaluation.tide_errors()["delta_ap"]
    return {
        "sizes": {name: 100 * results[key] for key, name in SIZES.items() if results[key] >= 0},
        "errors": {kind: 100 * errors[kind] for kind in ERRORS},
    }


def _image_id(file: str) -> int | str:
    """Returns how Ultralytics names an image in what it writes for COCO."""
    stem = Path(file).stem
    return int(stem) if stem.isnumeric() else stem
