"""What goes through the pipeline: a `Frame` from a source, and the `Result` that is made of it."""

from dataclasses import dataclass, field

import cv2
import numpy as np

from yolo_attn.live.gates import Gate
from yolo_attn.live.zone_counts import Zone


@dataclass
class Frame:
    """One picture of a source.

    Attributes:
        image: (H, W, 3) uint8, BGR.
        index: The source's place in the list of sources.
        source: The source's name.
        number: Counts the frames of the source from 1, those that were skipped too.
        captured: When it arrived, on the monotonic clock, in seconds.
        time: When it arrived, as seconds since 1970.
        file: The picture or video that it is from; empty for a camera's.
    """

    image: np.ndarray
    index: int
    source: str
    number: int
    captured: float
    time: float
    file: str = ""


def empty(*shape: int, dtype=np.float32):
    """Returns a dataclass field that starts as an array of `shape`, whose first size is 0."""
    return field(default_factory=lambda: np.zeros(shape, dtype))


@dataclass
class Result:
    """What a model found in one frame, in pixels of the frame, as `supervision.Detections` names it.

    Attributes:
        frame: (H, W, 3) uint8, BGR, as it was captured.
        source: The source's name.
        index: The source's place in the list of sources.
        number: The frame's number in its source, from 1.
        time: When the frame was captured, as seconds since 1970.
        captured: The same on the monotonic clock.
        file: The picture or video that the frame is from; empty for a camera's.
        names: Class names by class number.
        lag: Seconds from capture to output.
        xyxy: (N, 4) float32 boxes, best score first.
        confidence: (N,) float32 scores.
        class_id: (N,) int64 class numbers.
        mask: (N, H, W) bool for segmentation.
        keypoints: (N, K, 2 or 3) float32 for pose: x, y and visibility.
        xywhr: (N, 5) float32 for oriented boxes: centre, size and angle in radians; `xyxy` then holds what is around.
        probs: (C,) float32 for classification, which has no boxes.
        track_id: (N,) int64 with `track=...`: the number that an object keeps in its source; -1 while it has none yet.
        gates: Of a file exported with `gates=True`: what each attention layer multiplied by.
        zones: With `zones=...`: what was counted so far in each zone and across each line of the source.
    """

    frame: np.ndarray
    source: str = ""
    index: int = 0
    number: int = 0
    time: float = 0.0
    captured: float = 0.0
    file: str = ""
    names: dict[int, str] = field(default_factory=dict)
    lag: float = 0.0
    xyxy: np.ndarray = empty(0, 4)
    confidence: np.ndarray = empty(0)
    class_id: np.ndarray = empty(0, dtype=np.int64)
    mask: np.ndarray | None = None
    keypoints: np.ndarray | None = None
    xywhr: np.ndarray | None = None
    probs: np.ndarray | None = None
    track_id: np.ndarray | None = None
    zones: list[Zone] = field(default_factory=list)
    gates: list[Gate] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.xyxy)

    @property
    def classes(self) -> list[int]:
        """The class of each detection; of a classification the likeliest."""
        return self.class_id.tolist() if self.probs is None else [self.top(1)[0][0]]

    def name(self, class_id: int) -> str:
        """Returns a class's name, its number where the model has none."""
        return self.names.get(int(class_id), str(class_id))

    def top(self, count: int = 5) -> list[tuple[int, float]]:
        """Returns the likeliest classes of a classification with their probabilities."""
        if self.probs is None:
            return []
        return [(int(i), float(self.probs[i])) for i in np.argsort(-self.probs, kind="stable")[:count]]

    def summary(self) -> list[dict]:
        """Returns the detections as plain values, laid out as `Results.summary()` of Ultralytics lays them out."""
        if self.probs is not None:
            return [{"name": self.name(i), "class": i, "confidence": round(p, 5)} for i, p in self.top(1)]
        return [self._summary_of(i) for i in range(len(self))]

    def _summary_of(self, i: int) -> dict:
        points = self.xyxy[i].reshape(2, 2) if self.xywhr is None else corners(self.xywhr[i : i + 1])[0]
        box = {
            f"{axis}{k}": round(float(v), 2)
            for k, point in enumerate(points, 1)
            for axis, v in zip("xy", point, strict=True)
        }
        said: dict = {"name": self.name(self.class_id[i]), "class": int(self.class_id[i])}
        said |= {"confidence": round(float(self.confidence[i]), 5), "box": box}
        if self.track_id is not None and self.track_id[i] >= 0:
            said["track_id"] = int(self.track_id[i])
        if self.mask is not None:
            x, y = outline(self.mask[i]).T.tolist()
            said["segments"] = {"x": x, "y": y}
        if self.keypoints is not None:
            columns = self.keypoints[i].T.round(2).tolist()
            said["keypoints"] = dict(zip(("x", "y", "visible"), columns, strict=False))
        return said


def outline(mask: np.ndarray) -> np.ndarray:
    """Returns one outline (M, 2), x and y, of a mask (H, W): from each further part a line leads there and back.

    Empty where the mask is. As in Ultralytics' lines of JSON, no part is left out; what it encloses is the mask.
    """
    parts = cv2.findContours(mask.view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)[0]
    whole: np.ndarray = np.zeros((0, 2), np.int32)
    for part in sorted((part.reshape(-1, 2) for part in parts), key=cv2.contourArea, reverse=True):
        if not len(whole):
            whole = part
            continue
        distance = np.square(whole[:, None].astype(np.int64) - part[None]).sum(2)
        here, there = np.unravel_index(distance.argmin(), distance.shape)
        around = np.roll(part, -there, axis=0)
        whole = np.concatenate([whole[: here + 1], around, around[:1], whole[here:]])
    return whole


def corners(xywhr: np.ndarray) -> np.ndarray:
    """Returns the corners (N, 4, 2) of oriented boxes (N, 5): centre, size, angle in radians."""
    centre, (w, h), angle = xywhr[:, :2], xywhr[:, 2:4].T / 2, xywhr[:, 4]
    cos, sin = np.cos(angle), np.sin(angle)
    along, across = np.stack([w * cos, w * sin], 1), np.stack([-h * sin, h * cos], 1)
    return np.stack(
        [centre + along + across, centre + along - across, centre - along - across, centre - along + across], 1
    )
