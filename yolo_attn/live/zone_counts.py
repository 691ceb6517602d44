"""What was counted in a zone or across a line: the state after a frame, and who came and went in it."""

from dataclasses import dataclass, field

from yolo_attn.live.zone_file import Shape


@dataclass
class Passage:
    """An object that entered or left a zone, or crossed a line.

    Attributes:
        what: `in` or `out`. A line's `in` is to the left of somebody who walks from its first point to its second.
        stayed: The seconds that an object was in the zone that it leaves.
    """

    zone: str
    what: str
    track_id: int
    name: str
    stayed: float | None = None


@dataclass
class Zone:
    """A zone or a line after a frame.

    Attributes:
        entered: How many objects came in so far, each time that they did; of a line, crossed it to its left.
        left: How many went out.
        classes: How many of each class are in the zone.
        stay: The seconds that each track in the zone has been there.
        passages: Who came and went in this frame.
    """

    shape: Shape
    entered: int = 0
    left: int = 0
    classes: dict[str, int] = field(default_factory=dict)
    stay: dict[int, float] = field(default_factory=dict)
    passages: list[Passage] = field(default_factory=list)

    @property
    def inside(self) -> int:
        """How many objects are in the zone."""
        return sum(self.classes.values())

    def summary(self) -> dict:
        """Returns plain values, for a line of JSON."""
        said = {"name": self.shape.name, "in": self.entered, "out": self.left}
        if not self.shape.is_line:
            stay = {str(number): round(seconds, 2) for number, seconds in self.stay.items()}
            said |= {"inside": self.inside, "classes": self.classes, "stay_s": stay}
        if self.passages:
            said["passages"] = [
                {"what": one.what, "track_id": one.track_id, "name": one.name}
                | ({} if one.stayed is None else {"stay_s": round(one.stayed, 2)})
                for one in self.passages
            ]
        return said
