"""Objects in zones and across lines, counted by `supervision`: how many, which way, and for how long."""

import threading
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from yolo_attn.errors import AttentionError
from yolo_attn.live.results import Result
from yolo_attn.live.sources import Source
from yolo_attn.live.tracking import NEEDS
from yolo_attn.live.zone_counts import Passage, Zone
from yolo_attn.live.zone_file import Shape, read, shapes, write

GRACE = 1.0  # seconds that an object may be unseen and has not left: a detector misses one now and then


class Area:
    """Counts the objects in a polygon: a box counts by the middle of its lower side, where somebody stands."""

    def __init__(self, shape: Shape):
        import supervision

        self.shape, self._zone = shape, supervision.PolygonZone(np.array(shape.points))
        self._there: dict[int, tuple[str, float, float]] = {}  # by track: its class, since when, seen last
        self._entered = self._left = 0

    def count(self, found: Any, result: Result, now: float) -> Zone:
        """Returns the zone after the frame of `result`, whose detections are `found`, at `now` in seconds."""
        inside, passages = np.flatnonzero(self._zone.trigger(found)).tolist(), []
        for i in inside:
            number, name = int(found.tracker_id[i]), result.name(result.class_id[i])
            if number < 0:
                continue
            if number not in self._there:
                self._entered += 1
                passages.append(Passage(self.shape.name, "in", number, name))
            name, since, _ = self._there.get(number, (name, now, now))
            self._there[number] = name, since, now
        outside = set(found.tracker_id.tolist()) - {int(found.tracker_id[i]) for i in inside}
        for number, (name, since, last) in list(self._there.items()):
            if number in outside or now - last > GRACE:
                passages.append(self._leave(number, name, last - since))
        classes = Counter(result.name(result.class_id[i]) for i in inside)
        stay = {number: last - since for number, (_, since, last) in self._there.items()}
        return Zone(self.shape, self._entered, self._left, dict(classes), stay, passages)

    def end(self) -> list[Passage]:
        """Lets all that are in the zone leave, as the source has ended."""
        return [self._leave(number, name, last - since) for number, (name, since, last) in list(self._there.items())]

    def _leave(self, number: int, name: str, stayed: float) -> Passage:
        del self._there[number]
        self._left += 1
        return Passage(self.shape.name, "out", number, name, stayed)


class Line:
    """Counts the objects that cross a line with their whole box."""

    def __init__(self, shape: Shape):
        import supervision

        start, end = (supervision.Point(*point) for point in shape.points)
        self.shape, self._line = shape, supervision.LineZone(start, end)

    def count(self, found: Any, result: Result, now: float) -> Zone:
        """Returns the line after the frame of `result`, whose detections are `found`."""
        crossed = zip(("in", "out"), self._line.trigger(found), strict=True)
        passages = [
            Passage(self.shape.name, what, int(found.tracker_id[i]), result.name(result.class_id[i]))
            for what, who in crossed
            for i in np.flatnonzero(who)
        ]
        return Zone(self.shape, self._line.in_count, self._line.out_count, passages=passages)

    def end(self) -> list[Passage]:
        return []


class Zones:
    """Adds `zones` to each result: what its tracks do in the shapes of a file. The shapes may be drawn anew meanwhile.

    Args:
        file: The JSON file of shapes.
        sources: Where the results come from.
        new: Whether the file may be missing, as somebody is going to draw it.

    Raises:
        AttentionError: `supervision` is not installed, or something in the file is no shape.
    """

    def __init__(self, file: Path, sources: Sequence[Source], new: bool = False):
        try:
            import supervision
        except ImportError as error:
            raise AttentionError(f"zones={file} needs supervision ({error}): {NEEDS}") from None
        self.file, self.sources = file, sources
        self._detections = supervision.Detections
        self._lock = threading.Lock()
        self._counters: list[dict[Shape, Area | Line]] = [{} for _ in sources]
        self.shapes: list[Shape] = []
        self._take([] if new and not file.exists() else read(file, self._names()))

    def __call__(self, result: Result) -> None:
        """Sets `result.zones`; results of one source come in the order of their frames."""
        source = self.sources[result.index]
        found = self._detections(xyxy=result.xyxy, class_id=result.class_id, tracker_id=result.track_id)
        now = source.clock(result)
        with self._lock:
            result.zones = [one.count(found, result, now) for one in self._counters[result.index].values()]

    def draw(self, values: Any) -> None:
        """Takes the shapes that somebody drew, as the file has them, and saves them; what is unchanged counts on.

        Raises:
            AttentionError: One of them is none, or the file cannot be written.
        """
        drawn = shapes(values, self._names(), str(self.file))
        try:
            write(self.file, drawn)
        except OSError as error:
            raise AttentionError(f"{self.file} cannot be written: {error.strerror}") from None
        self._take(drawn)

    def end(self, index: int) -> list[Passage]:
        """Returns who was still in a zone of a source that has ended."""
        with self._lock:
            return [passage for one in self._counters[index].values() for passage in one.end()]

    def _names(self) -> list[str]:
        return [source.label for source in self.sources]

    def _take(self, drawn: list[Shape]) -> None:
        counters = [
            {
                shape: before.get(shape) or (Line if shape.is_line else Area)(shape)
                for shape in drawn
                if shape.source in ("", source.label)
            }
            for source, before in zip(self.sources, self._counters, strict=True)
        ]
        with self._lock:
            self._counters, self.shapes = counters, drawn
