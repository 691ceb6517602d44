"""From attention everywhere down to what is worth its time: one place after the other goes, on half of the images.

After each removal the rest is validated and timed anew. Over the budget that goes which is worth least for its time; of
several whose rates the images do not tell apart, the slowest. Within it goes what seems to be worth least, until each
place is surely worth something, or one is left.
"""

import copy
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn
from ultralytics import YOLO
from ultralytics.utils import LOGGER

from yolo_attn.errors import AttentionError
from yolo_attn.evidence import prune, validation
from yolo_attn.evidence.bootstrap import drawn, interval
from yolo_attn.evidence.layers import network as network_of
from yolo_attn.evidence.quiet import quiet
from yolo_attn.evidence.worth import POINTS, Worth, worth
from yolo_attn.export.staging import beside
from yolo_attn.placement.clock import Clock
from yolo_attn.placement.everywhere import Everywhere

SHORTEST = 1e-3  # milliseconds: less is nothing that can be measured
ALL = "all of them"


@dataclass
class Known:
    """What is known of attention at one place: what is lost without it, in how many draws, and its milliseconds."""

    worth: Worth
    draws: np.ndarray  # of what is lost, 0 to 1
    milliseconds: float

    @property
    def time(self) -> float:
        return max(self.milliseconds, SHORTEST)

    @property
    def rate(self) -> float:
        """Points per millisecond."""
        return self.worth.lost / self.time


@dataclass
class Step:
    """What a network with attention at some places came to, and which of them went then.

    `accuracy` and `worth` are in points, the latter with its 95 % interval; `base` is the accuracy with all off.
    """

    accuracy: float
    base: float
    worth: dict[str, list[float]]
    milliseconds: dict[str, float]
    removed: str
    why: str
    seconds: float

    @property
    def total(self) -> float:
        """The milliseconds of all attention."""
        return sum(self.milliseconds.values())


def removable(known: Mapping[str, Known], images: int, budget: float) -> tuple[str, str]:
    """Returns the place that goes, and why; nothing where none has to.

    Args:
        known: What is known of each place.
        images: The images that it is known from.
        budget: The milliseconds that attention may take.
    """
    total = sum(one.milliseconds for one in known.values())
    alone = [word for word, one in known.items() if one.milliseconds > budget]
    unsure = [word for word, one in known.items() if one.worth.low <= 0]
    if alone:
        candidates, why = alone, "more than the budget by itself"
    elif total > budget:
        candidates, why = list(known), "over the budget"
    elif unsure and len(known) > 1:  # time is no matter any more
        least = min(unsure, key=lambda word: (known[word].worth.lost, -known[word].milliseconds))
        return least, "not surely worth anything"
    else:
        return "", ""
    worst = min(candidates, key=lambda word: known[word].rate)
    tied = [word for word in candidates if word == worst or not apart(known[word], known[worst], images)]
    return max(tied, key=lambda word: known[word].milliseconds), why


def apart(one: Known, other: Known, images: int) -> bool:
    """Tells whether the images tell two rates apart: both networks meet the same draws."""
    draws = POINTS * (one.draws / one.time - other.draws / other.time)
    low, high = interval(one.rate - other.rate, draws, images)
    return low > 0 or high < 0


class Search:
    """The search for one operator, whose steps are kept in a file: it goes on where it was ended."""

    def __init__(
        self, operator: str, trained: YOLO, places: Everywhere, clock: Clock, budget: float, file: Path,
        arguments: Mapping[str, Any],
    ):  # fmt: skip
        """Keeps all that the search needs.

        Args:
            operator: The operator's word.
            trained: The network with it everywhere.
            places: The base's places.
            clock: What tells the times.
            budget: The milliseconds that attention may take.
            file: Where the steps are kept.
            arguments: Those of `yolo val`, the images of the search among them.
        """
        self.operator, self.trained, self.places, self.clock = operator, trained, places, clock
        self.budget, self.file, self.arguments = budget, file, arguments
        self.whole: Any = network_of(trained).float().eval()
        self.paths = places.paths(self.whole)

    def run(self, told: Callable[[Step], None] = lambda step: None) -> list[Step]:
        """Returns the steps, the last of which removes nothing."""
        steps = read(self.file)
        while not steps or steps[-1].removed:
            gone = [step.removed for step in steps]
            steps.append(self.step(gone, steps[0].base if steps else None))
            write(steps, self.file)
            told(steps[-1])
        return steps

    def step(self, gone: list[str], base: float | None) -> Step:
        """Measures what is left without some places, and says which goes next.

        Args:
            gone: The places whose attention is gone.
            base: The accuracy with all attention off, in points, if it is known.
        """
        began = time.perf_counter()
        network = self.left(gone)
        paths = self.places.paths(network)
        if not paths:
            return Step(base or 0.0, base or 0.0, {}, {}, "", "", 0.0)
        times = self.clock.times(self.operator, network)
        variants = {**paths, **({ALL: [path for one in paths.values() for path in one]} if base is None else {})}
        outcome = self.validated(network, variants)
        whole = outcome.measured[""]
        before, _ = drawn(whole.outcome)
        known = {}
        for word in paths:
            lost = whole.accuracy - outcome.measured[word].accuracy
            draws = before - drawn(outcome.measured[word].outcome)[0]
            known[word] = Known(worth(lost, draws, whole.outcome.images), draws, times[word])
        removed, why = removable(known, whole.outcome.images, self.budget)
        return Step(
            accuracy=POINTS * whole.accuracy,
            base=POINTS * outcome.measured[ALL].accuracy if base is None else base,
            worth={word: [one.worth.lost, one.worth.low, one.worth.high] for word, one in known.items()},
            milliseconds=times,
            removed=removed,
            why=why,
            seconds=time.perf_counter() - began,
        )

    def left(self, gone: list[str]) -> nn.Module:
        """Returns the network without attention at some places."""
        drop = [path for word in gone for path in self.paths[word]]
        return prune.without(self.whole, drop) if drop else copy.deepcopy(self.whole)

    def validated(self, network: nn.Module, variants: Mapping[str, list[str]]) -> validation.Validation:
        """Returns what each variant of a network came to on the images of the search."""
        model = copy.copy(self.trained)
        model.model = network  # type: ignore[assignment]
        with quiet():
            return validation.validate(model, variants, verbose=False, **self.arguments)


def read(file: Path) -> list[Step]:
    """Returns the steps that a file has; none where there is no file.

    Raises:
        AttentionError: It holds something else.
    """
    if not file.is_file():
        return []
    try:
        return [Step(**one) for one in json.loads(file.read_text(encoding="utf-8"))]
    except (ValueError, TypeError):
        raise AttentionError(f"{file} is no search's: remove it, or name another folder, name=…") from None


def write(steps: list[Step], file: Path) -> None:
    """Writes the steps, whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with beside(file) as folder:
        (folder / file.name).write_text(json.dumps([asdict(step) for step in steps], indent=1), encoding="utf-8")
        (folder / file.name).replace(file)


def line(operator: str, step: Step) -> str:
    """Returns a step in a line for the log."""
    said = f"{operator}: {len(step.worth)} places, {step.accuracy:.2f} points, {step.total:.2f} ms"
    if not step.removed:
        return f"{said}: what is left is {', '.join(step.worth) or 'nothing'}"
    lost, low, high = step.worth[step.removed]
    ms = step.milliseconds[step.removed]
    return f"{said}; {step.removed} goes, {step.why}: worth {lost:+.2f} [{low:+.2f}, {high:+.2f}], {ms:.3f} ms"


def tell(operator: str, step: Step) -> None:
    """Logs a step."""
    LOGGER.info(line(operator, step))
