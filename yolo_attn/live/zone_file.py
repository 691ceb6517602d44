"""The file of zones: a JSON list of polygons and lines, in pixels of the picture, each with a name.

    [{"name": "gate", "polygon": [[10, 20], [300, 20], [300, 200]]},
     {"name": "entry", "line": [[0, 240], [640, 240]], "source": "door"}]

An entry without `source` counts in every source.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from yolo_attn.errors import AttentionError, shown

KEYS = {"name", "polygon", "line", "source"}
LARGEST = 16384  # of a coordinate, as a zone's mask is as large as they are
MOST = 100  # points of a polygon, and entries of a file


@dataclass(frozen=True)
class Shape:
    """A polygon, or a line from its first point to its second; of the source of that name, or of each without one."""

    name: str
    points: tuple[tuple[int, int], ...]
    is_line: bool = False
    source: str = ""

    def entry(self) -> dict:
        """Returns the shape as the file has it."""
        said: dict = {"name": self.name, "line" if self.is_line else "polygon": [list(point) for point in self.points]}
        return said | ({"source": self.source} if self.source else {})


def read(file: Path, sources: Sequence[str]) -> list[Shape]:
    """Returns the shapes in a file for sources of these names.

    Raises:
        AttentionError: The file cannot be read, or an entry is none; the line names file and entry.
    """
    try:
        values = json.loads(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise AttentionError(f"zones={file} cannot be read: {error.strerror}; serve=8000 draws a new one") from None
    except (ValueError, RecursionError) as error:
        raise AttentionError(f"{file} is no JSON: {str(error).splitlines()[0]}") from None
    return shapes(values, sources, str(file))


def shapes(values: Any, sources: Sequence[str], file: str) -> list[Shape]:
    """Returns the shapes that a file's values describe; raises as `read` does."""
    if not isinstance(values, list) or len(values) > MOST:
        raise AttentionError(f"{file} must be a list of up to {MOST} zones and lines, got {shown(values)}")
    found: list[Shape] = []
    for number, value in enumerate(values, 1):
        try:
            shape = _shape(value, sources)
            if any(shape.name == one.name and (shape.source == one.source or not one.source) for one in found):
                raise ValueError(f"there is another '{shape.name}' above: names differ")
        except ValueError as error:
            raise AttentionError(f"{file}: entry {number}, {shown(value)}: {error}") from None
        found.append(shape)
    return found


def write(file: Path, all_shapes: Sequence[Shape]) -> None:
    """Writes the file in one step, an entry a line; raises an OSError where that cannot be done."""
    part = file.with_name(f"{file.name}.part")
    lines = ",\n ".join(json.dumps(shape.entry(), ensure_ascii=False) for shape in all_shapes)
    part.write_text(f"[{lines}]\n", encoding="utf-8")
    part.replace(file)


def _shape(value: Any, sources: Sequence[str]) -> Shape:
    if not isinstance(value, dict):
        raise ValueError('an entry is {"name": ..., "polygon": [[x, y], ...]}')
    if unknown := sorted(map(str, value.keys() - KEYS)):
        raise ValueError(f"it has no key '{unknown[0]}': write name, polygon or line, and source")
    name, source = value.get("name"), value.get("source", "")
    if not isinstance(name, str) or not name.strip() or not name.isprintable():
        raise ValueError("it needs a name")
    if ("polygon" in value) == ("line" in value):
        raise ValueError("it needs either polygon or line")
    if source and source not in sources:
        raise ValueError(f"there is no source {shown(source)}: there are {', '.join(sources)}")
    points = [_point(one) for one in _listed(value.get("polygon", value.get("line")))]
    if "line" in value and (len(points) != 2 or points[0] == points[1]):
        raise ValueError("a line has two points, [[x, y], [x, y]]")
    if "polygon" in value:
        if not 3 <= len(points) <= MOST:
            raise ValueError(f"a polygon has 3 to {MOST} points")
        if not cv2.contourArea(np.array(points, np.int32)):
            raise ValueError("the polygon encloses nothing")
    return Shape(name.strip(), tuple(points), "line" in value, source)


def _point(value: Any) -> tuple[int, int]:
    pair = _listed(value)
    if len(pair) != 2 or not all(_is_coordinate(one) for one in pair):
        raise ValueError(f"a point is [x, y] in pixels from 0 to {LARGEST}, got {shown(value)}")
    return round(pair[0]), round(pair[1])


def _is_coordinate(value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and math.isfinite(value) and 0 <= value <= LARGEST


def _listed(value: Any) -> list:
    if not isinstance(value, list):
        raise ValueError(f"points are a list, got {shown(value)}")
    return value
