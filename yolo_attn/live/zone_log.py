"""The CSV file of who entered and left zones and crossed lines."""

import csv
import time
from collections.abc import Sequence
from pathlib import Path

from yolo_attn.live.results import Result
from yolo_attn.live.zone_counts import Passage


class Passages:
    """A CSV file with a row for each object that entered or left a zone, or crossed a line."""

    def __init__(self, file: Path):
        self._stream = file.open("a", newline="", encoding="utf-8")
        self._rows = csv.writer(self._stream)
        if not self._stream.tell():
            self._rows.writerow(["time", "source", "frame", "zone", "what", "track_id", "class", "stay_s"])

    def write(self, result: Result, passages: Sequence[Passage]) -> None:
        """Adds rows; raises an OSError where they cannot be written."""
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(result.time))
        for one in passages:
            stay = "" if one.stayed is None else f"{one.stayed:.2f}"
            self._rows.writerow([stamp, result.source, result.number, one.zone, one.what, one.track_id, one.name, stay])
        if passages:
            self._stream.flush()

    def close(self) -> None:
        self._stream.close()
