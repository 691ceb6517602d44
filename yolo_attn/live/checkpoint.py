"""Models in `.pt` files, run by Ultralytics where it is installed, with its own work before and after the network."""

from pathlib import Path
from typing import Any

import numpy as np

from yolo_attn.archive import check_whole
from yolo_attn.errors import AttentionError
from yolo_attn.live.heads import Thresholds
from yolo_attn.live.letterbox import Geometry
from yolo_attn.live.model import Work, result_of
from yolo_attn.live.results import Frame, Result


class CheckpointModel:
    """A checkpoint behind `YOLO(file).predict(frame)`; all its work counts as inference."""

    def __init__(self, file: Path, imgsz: int | None, device: str, limits: Thresholds):
        try:
            from ultralytics import YOLO, __version__
        except ImportError:
            raise AttentionError(
                f"'{file}' needs Ultralytics, which is not installed: pip install ultralytics, or export the model on "
                "another machine with yolo export format=onnx"
            ) from None
        check_whole(file)
        self._model: Any = YOLO(file)
        self._options: dict[str, Any] = {
            "conf": limits.conf,
            "iou": limits.iou,
            "max_det": limits.max_det,
            "verbose": False,
        }
        self._options |= {"classes": limits.classes and list(limits.classes), "retina_masks": True}
        self._options |= {"device": device or None} | ({"imgsz": imgsz} if imgsz else {})
        self.names = self._model.names
        side = imgsz or 640
        self._model.predict(np.full((side, side, 3), 114, np.uint8), **self._options)
        self.runs_on = f"Ultralytics {__version__} on {self._model.device}"

    @property
    def conf(self) -> float:
        return self._options["conf"]

    @conf.setter
    def conf(self, conf: float) -> None:
        self._options = {**self._options, "conf": conf}

    def prepare(self, frame: Frame) -> Work:
        shape = frame.image.shape[:2]
        return Work(frame, Geometry(shape, shape, shape, 0, 0))

    def infer(self, work: Work) -> None:
        work.buffers = self._model.predict(work.frame.image, **self._options)[0]

    def decode(self, work: Work) -> Result:
        """Returns Ultralytics' result as arrays."""
        found, result = {}, work.buffers.cpu().numpy()
        if result.probs is not None:
            found["probs"] = result.probs.data
        boxes = result.boxes if result.obb is None else result.obb
        if boxes is not None:
            found |= {"xyxy": boxes.xyxy, "confidence": boxes.conf, "class_id": boxes.cls.astype(np.int64)}
        if result.obb is not None:
            found["xywhr"] = result.obb.xywhr
        if result.keypoints is not None:
            found["keypoints"] = result.keypoints.data
        if result.masks is not None:
            found["mask"] = result.masks.data.astype(bool)
        return result_of(work.frame, self.names, **found)

    def release(self, work: Work) -> None:
        """Nothing is kept for later frames."""
