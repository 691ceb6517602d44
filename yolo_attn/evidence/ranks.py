"""The rank of each row's separable convolutions: as told, for an error that is allowed, or for a time."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from yolo_attn.errors import AttentionError

LADDER = (2, 4, 8, 12, *range(16, 64, 8), *range(64, 128, 16), *range(128, 1025, 32))
TRIES = 4  # networks that are timed for a budget, before it is said that none was found


class Time(NamedTuple):
    """The milliseconds of each row's GAMs in the exported file, and those of the network without them."""

    rows: dict[int, float]
    base: float

    @property
    def own(self) -> float:
        """Those of all GAMs together."""
        return sum(self.rows.values())

    def __str__(self) -> str:
        return f"{self.own:.2f} ms ({self.own / self.base:.1%} of the network without it)"


class Budget(NamedTuple):
    """What all of the layers together may take: milliseconds, or a part of the network's time without them."""

    value: float
    relative: bool

    def allowed(self, base: float) -> float:
        """Returns the milliseconds that it is beside a network that takes `base` without the layers."""
        return self.value * base if self.relative else self.value

    def holds(self, time: Time) -> bool:
        """Tells whether it is kept."""
        return time.own <= self.allowed(time.base)

    def __str__(self) -> str:
        return f"{100 * self.value:g}%" if self.relative else f"{self.value:g}ms"


def read_budget(text: str) -> Budget:
    """Returns what `budget=5%` or `budget=3ms` says.

    Raises:
        AttentionError: It is neither.
    """
    number, relative = (text[:-1], True) if text.endswith("%") else (text.removesuffix("ms"), False)
    try:
        value = float(number)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf") or (not relative and number == text):
        raise AttentionError(
            f"budget={text} is no time: write budget=5%, of the network without GAM, or budget=3ms in all"
        )
    return Budget(value / 100 if relative else value, relative)


def ladder(channels: int, hidden: int) -> list[int]:
    """Returns the ranks that are tried where none is told: those with fewer weights than the dense convolutions."""
    return [rank for rank in LADDER if rank * 7 * (channels + hidden) < 49 * channels * hidden]


def for_error(errors: Mapping[int, Mapping[int, float]], allowed: float) -> dict[int, int]:
    """Returns each row's lowest rank whose error is allowed.

    Args:
        errors: For each row the error of its ranks, rising.
        allowed: The error that is.

    Raises:
        AttentionError: A row has none.
    """
    found = {}
    for row, of in errors.items():
        fitting = [rank for rank, error in of.items() if error <= allowed]
        if not fitting:
            rank, least = min(of.items(), key=lambda one: one[1])
            raise AttentionError(
                f"mse={allowed:g} is less than what row {row} comes to at rank {rank}, {least:.3f}, and a higher rank "
                "has more weights than the dense form; allow more, or leave it dense"
            )
        found[row] = fitting[0]
    return found


def for_time(errors: Mapping[int, Mapping[int, float]], budget: Budget, timed: Callable[..., Time]) -> dict[int, int]:
    """Returns the ranks that lose least in a time, measured: from the lowest on, the step that saves most error per ms.

    Args:
        errors: For each row the error of its ranks, rising.
        budget: What all rows together may take.
        timed: Measures the network with these ranks, one for each row.

    Raises:
        AttentionError: The lowest ranks take longer.
    """
    lowest, highest = ({row: end(of) for row, of in errors.items()} for end in (min, max))
    least = timed(*lowest.values())
    if not budget.holds(least):
        said = ", ".join(f"{rank} in row {row}" for row, rank in lowest.items())
        raise AttentionError(
            f"budget={budget} is {budget.allowed(least.base):.2f} ms beside {least.base:.2f}, and the lowest ranks, "
            f"{said}, take {least.own:.2f} ms; allow more, or leave layers out with yolo-attn ablate drop=..."
        )
    most = timed(*highest.values())
    slope = {row: max((most.rows[row] - least.rows[row]) / max(highest[row] - lowest[row], 1), 1e-6) for row in errors}
    goal = budget.allowed(least.base)
    for _ in range(TRIES):
        chosen = climbed(errors, slope, goal - least.own)
        if budget.holds(time := timed(*chosen.values())):
            return chosen
        goal *= budget.allowed(time.base) / time.own
    return lowest


def climbed(errors: Mapping[int, Mapping[int, float]], slope: Mapping[int, float], left: float) -> dict[int, int]:
    """Returns the ranks that are reached from the lowest with `left` milliseconds; a row's takes `slope` each."""
    steps: dict[int, Sequence[int]] = {row: list(of) for row, of in errors.items()}
    at = dict.fromkeys(errors, 0)
    while True:
        found = []
        for row, i in at.items():
            for j in range(i + 1, len(steps[row])):
                now, then = steps[row][i], steps[row][j]
                cost = slope[row] * (then - now)
                if cost <= left:
                    found.append(((errors[row][now] - errors[row][then]) / cost, row, j, cost))
        if not found or (best := max(found))[0] <= 0:
            return {row: steps[row][i] for row, i in at.items()}
        _, row, j, cost = best
        at[row], left = j, left - cost
