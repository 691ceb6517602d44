"""`on="person>0 for 3s do=snapshot,post:http://…"`: a rule as somebody writes it, and when it holds."""

import operator
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from yolo_attn.errors import AttentionError
from yolo_attn.live.naming import redacted
from yolo_attn.live.results import Result

FORM = "write on='person>0 for 3s do=snapshot,clip,post:URL,mqtt:URL'"
RULE = re.compile(
    r"(?P<what>.+?)(?:\s+in\s+(?P<zone>.+?))?\s*(?P<sign>>=|<=|>|<|=)\s*(?P<number>\d+)"
    r"(?:\s+for\s+(?P<hold>\d+(?:\.\d+)?)\s*s)?(?:\s+every\s+(?P<every>\d+(?:\.\d+)?)\s*s)?\s+do=(?P<actions>\S.*)"
)
SIGNS = {">": operator.gt, "<": operator.lt, "=": operator.eq, ">=": operator.ge, "<=": operator.le}
ACTION = re.compile(r"snapshot|clip|post:https?://\S+|mqtt:mqtts?://\S+")
NEXT = re.compile(r"\s*,\s*(?=snapshot|clip|post:|mqtt:)")  # a URL may have commas
ANY = "any"
PAUSE = 10.0  # seconds between two events of a rule that does not say every how many
BRIDGED = 1.0  # seconds for which a condition may fail and still hold: a detector misses an object now and then
SILENCE = 10.0  # seconds without any frame after which nobody knows whether it held


@dataclass(frozen=True)
class Rule:
    """A condition on what is found in a source, and what is done when it has held for `hold` seconds.

    Attributes:
        text: The condition as it was written.
        what: The name of a class, or `any`.
        zone: The name of the zone that it must be in; the whole picture without one.
        every: Seconds after which it is done again while the condition goes on; once in a stretch without it.
        files: `snapshot` and `clip`, where they are wished.
        urls: Where a message goes.
    """

    text: str
    what: str
    zone: str
    sign: str
    number: int
    hold: float
    every: float | None
    files: tuple[str, ...]
    urls: tuple[str, ...]

    def count(self, result: Result) -> int:
        """Returns how many of what the rule is about are in a frame, or in its zone."""
        if self.zone:
            zones = [zone for zone in result.zones if zone.shape.name == self.zone]
            return sum(zone.inside if self.what == ANY else zone.classes.get(self.what, 0) for zone in zones)
        return sum(self.what in (ANY, result.name(class_id)) for class_id in result.classes)

    def holds(self, count: int) -> bool:
        return SIGNS[self.sign](count, self.number)


class Watch:
    """When a rule fires in one source: it has held long enough, and the last time was long enough ago."""

    def __init__(self, rule: Rule):
        self.rule = rule
        self._since: float | None = None
        self._last = self._fired = float("-inf")
        self._missed = self._done = False

    def see(self, count: int, now: float) -> bool:
        """Takes the count of a frame at `now` in seconds; tells whether the rule fires."""
        if not self.rule.holds(count):
            self._missed = True
            return False
        gap = now - self._last
        if self._since is None or gap > SILENCE or (self._missed and gap > BRIDGED):
            self._since, self._done = now, False
        self._last, self._missed = now, False
        again = not self._done if self.rule.every is None else True
        pause = PAUSE if self.rule.every is None else self.rule.every
        if now - self._since < self.rule.hold or not again or now - self._fired < pause:
            return False
        self._fired, self._done = now, True
        return True


def read(text: str, names: dict[int, str], zones: list[str] | None) -> list[Rule]:
    """Returns the rules of a text, in which `;` stands between two.

    Args:
        text: What somebody wrote.
        names: The model's class names by number.
        zones: The names of the zones; None without `zones=...`.

    Raises:
        AttentionError: It is no rule, or names a class or zone that does not exist.
    """
    return [_rule(part.strip(), names, zones) for part in re.split(r";(?=[^;]*\bdo=)", text) if part.strip()]


def _rule(text: str, names: dict[int, str], zones: list[str] | None) -> Rule:
    shown = redacted(text)
    found = RULE.fullmatch(text)
    if not found:
        raise AttentionError(f"on='{shown}' is no rule: {FORM}")
    what, zone = found["what"], found["zone"] or ""
    if names and what != ANY and what not in names.values():
        raise AttentionError(f"on='{shown}': the model has no class '{what}'; it has {_some(list(names.values()))}")
    if zone and zones is None:
        raise AttentionError(f"on='{shown}' speaks of a zone: add zones=zones.json track=bytetrack")
    if zone and zone not in (zones or []):
        raise AttentionError(f"on='{shown}': there is no zone '{zone}'; there are {_some(zones or []) or 'none'}")
    actions = NEXT.split(found["actions"])
    for action in actions:
        if not ACTION.fullmatch(action):
            raise AttentionError(f"on='{shown}': '{redacted(action)}' is nothing to do: {FORM}")
    urls = tuple(action.split(":", 1)[1] for action in actions if ":" in action)
    for url in urls:
        _check(url, shown)
    every = None if found["every"] is None else float(found["every"])
    files = tuple(action for action in actions if ":" not in action)
    condition = text[: found.start("actions") - len("do=")].strip()
    hold = float(found["hold"] or 0)
    return Rule(condition, what, zone, found["sign"], int(found["number"]), hold, every, files, urls)


def _check(url: str, rule: str) -> None:
    try:
        parts = urlsplit(url)
        known = bool(parts.hostname) and parts.port != 0
    except ValueError:
        known = False
    if not known:
        raise AttentionError(f"on='{rule}': {redacted(url)} is no address")
    topic = parts.path.strip("/")
    if parts.scheme.startswith("mqtt") and (not topic or set(topic) & set("#+")):
        raise AttentionError(f"on='{rule}': {redacted(url)} needs a topic: write mqtt://host/cameras/door")


def _some(names: list[str]) -> str:
    return ", ".join(names[:10]) + (", …" if len(names) > 10 else "")
