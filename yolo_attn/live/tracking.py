"""Numbers that objects keep from frame to frame: Roboflow's `trackers`, one tracker for each source."""

import inspect
import logging
from pathlib import Path
from typing import Any

import numpy as np

from yolo_attn.errors import AttentionError
from yolo_attn.live.record import PICTURES
from yolo_attn.live.results import Result
from yolo_attn.live.sources import Source

NEEDS = "pip install 'yolo_attn[track]', or on a device pip install --no-deps -r requirements-edge-track.txt"
# From which score on a detection starts a track: Ultralytics' value, as of everything that is shown something is to be
# counted. The library's own, 0.6 and 0.7, are for detectors that were trained on one data set of people.
SURE = 0.25
CLASSES = {"bytetrack": "ByteTrackTracker", "botsort": "BoTSORTTracker", "ocsort": "OCSORTTracker"}
STARTS = {"high_conf_det_threshold": SURE, "track_activation_threshold": SURE}


class Tracking:
    """Gives the detections of each result their track's number; each source has a tracker of its own.

    Args:
        name: `bytetrack`, `botsort` or `ocsort`.
        sources: Where the results come from, in the order of their indices.

    Raises:
        AttentionError: There is no tracker of that name, or the library is not installed.
    """

    def __init__(self, name: str, sources: list[Source]):
        if name not in CLASSES:
            raise AttentionError(f"track={name} is no tracker here: write track={', '.join(CLASSES)}, one of them")
        try:
            import supervision
            import trackers
        except ImportError as error:
            raise AttentionError(f"track={name} needs the trackers of Roboflow ({error}): {NEEDS}") from None
        logging.getLogger("trackers").setLevel(logging.ERROR)  # a line for each picture without anything to go by
        self.name, self.sources = name, sources
        self._class: Any = getattr(trackers, CLASSES[name])
        self._detections = supervision.Detections
        self._trackers: dict[int, Any] = {}
        self._files: dict[int, str] = {}  # the film that each source is at
        self._next = [0] * len(sources)  # the least number that a source has not given yet
        self._first = [0] * len(sources)  # what stands for the tracker's 0: films of one source share no number

    def __call__(self, result: Result) -> None:
        """Sets `result.track_id`; results of one source come in the order of their frames."""
        if result.probs is not None:
            raise AttentionError(f"track={self.name} follows boxes, and a model that classifies has none")
        index, source = result.index, self.sources[result.index]
        if index not in self._trackers or self._is_next_film(result):
            self._trackers[index] = self.tracker(source)
            self._first[index] = self._next[index]
        self._files[index] = result.file
        found = self._detections(
            xyxy=result.xyxy,
            confidence=result.confidence,
            class_id=result.class_id,
            data={"place": np.arange(len(result))},
        )
        told: dict[str, Any] = {"timestamp": result.captured} if source.live else {}
        if self.name == "botsort":
            told["frame"] = result.frame  # of which it takes the camera's own motion
        tracked = self._trackers[index].update(found, **told)
        result.track_id = np.full(len(result), -1, np.int64)
        if len(tracked):
            numbers = np.where(tracked.tracker_id < 0, -1, tracked.tracker_id + self._first[index])
            result.track_id[tracked.data["place"]] = numbers
            self._next[index] = max(self._next[index], int(numbers.max()) + 1)

    def tracker(self, source: Source) -> Any:
        """Returns a new tracker for a source: a camera's goes by the time between frames, a film's by frames."""
        known = inspect.signature(self._class).parameters
        starts = {name: value for name, value in STARTS.items() if name in known}
        return self._class(frame_rate=source.fps / source.stride, **starts)

    def _is_next_film(self, result: Result) -> bool:
        """Tells whether another film begins; the pictures of a folder are one sequence."""
        return result.file != self._files[result.index] and Path(result.file).suffix.lower() not in PICTURES
