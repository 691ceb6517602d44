"""What the runs of a comparison gave, and the verdicts on it."""

import hashlib
import math
import statistics
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from yolo_attn.evidence import verdict
from yolo_attn.evidence.cells import AGAIN, BASE, Cell
from yolo_attn.evidence.comparison import Comparison
from yolo_attn.evidence.ledger import Run, State
from yolo_attn.evidence.verdict import Verdict

MAIN = "mAP50-95"


class Measure(NamedTuple):
    """Something that is measured of every run, in points. `sign` is -1 where less is better."""

    name: str
    sign: int
    scores: dict[str, dict[int, float]]  # of each model, by seed


class Results:
    """What a comparison's folder holds by now.

    `epoch` is the last one that every finished run has: there the accuracies are compared.
    """

    def __init__(self, comparison: Comparison):
        self.comparison = comparison
        self.runs = comparison.runs()
        self.states = {run: run.state(comparison.epochs) for run in self.runs}
        self.done = [run for run in self.runs if self.states[run] is State.DONE]
        self.curves = {run: run.curve() for run in self.done}
        self.epoch = min((max(self.curves[run]) for run in self.done), default=0)
        self.said = {run: run.said() for run in self.done}
        self.main = Measure(MAIN, 1, self._scores(lambda run: self.curves[run].get(self.epoch, math.nan)))

    def _scores(self, score: Callable[[Run], float]) -> dict[str, dict[int, float]]:
        scores: dict[str, dict[int, float]] = {cell.name: {} for cell in self.comparison.cells}
        for run in self.done:
            scores[run.cell.name][run.seed] = score(run)
        return scores

    def of(self, cell: Cell) -> list[Run]:
        """Returns the finished runs of a model."""
        return [run for run in self.done if run.cell == cell]

    def best(self, cell: Cell) -> float:
        """Returns the mean of each run's best epoch, in points."""
        return mean(max(self.curves[run].values()) for run in self.of(cell))

    def measures(self) -> list[Measure]:
        """Returns the further measures: AP by size, and what mending each kind of error would bring."""
        found = []
        for key, sign in (("sizes", 1), ("errors", -1)):
            for name in dict.fromkeys(name for said in self.said.values() for name in said.get(key, {})):
                values = {run: said.get(key, {}).get(name, math.nan) for run, said in self.said.items()}
                label = f"AP of {name} objects" if key == "sizes" else f"{name} errors"
                found.append(Measure(label, sign, self._scores(values.__getitem__)))
        return found

    def verdicts(self, measure: Measure) -> dict[str, Verdict]:
        """Returns the verdict on each model with attention by one measure; the correction is over these models."""
        return self._judged(measure, self.comparison.compared)

    def controls(self) -> dict[str, Verdict]:
        """Returns the same of the controls with the base's seeds, each by itself."""
        others = [cell for cell in self.comparison.cells if cell.role not in (BASE, AGAIN)]
        return {
            cell.name: self._judged(self.main, [cell])[cell.name]
            for cell in others
            if cell not in self.comparison.compared
        }

    def _judged(self, measure: Measure, cells: list[Cell]) -> dict[str, Verdict]:
        signed = {
            name: {seed: measure.sign * score for seed, score in scores.items()}
            for name, scores in measure.scores.items()
        }
        base = signed[self.comparison.base.name]
        seeds = range(self.comparison.seeds)
        found = verdict.judge(base, {cell.name: signed[cell.name] for cell in cells}, seeds, self.comparison.margin)
        for cell in cells:  # the run's own reason says more
            why = [f"seed {run.seed} {run.why_failed()}" for run in self.comparison.runs_of(cell) if run.why_failed()]
            if why:
                found[cell.name] = found[cell.name]._replace(reason="; ".join(why))
        return found

    def noise(self) -> float:
        """Returns the standard deviation of a difference between two runs of the base, in points; NaN while unknown."""
        again = next((cell for cell in self.comparison.cells if cell.role == AGAIN), None)
        if again is None:
            return math.nan
        base, other = self.main.scores[self.comparison.base.name], self.main.scores[again.name]
        pairs = min(len(base), len(other))
        if pairs < 2 or pairs < self.comparison.seeds:
            return math.nan
        return verdict.noise(base, other)

    def smallest(self) -> float:
        """Returns the difference that so many seeds find in 9 of 10 comparisons, in points; NaN while unknown."""
        spread = self.noise()
        if math.isnan(spread):
            return math.nan
        return verdict.smallest_difference(spread, self.comparison.seeds, len(self.comparison.compared))

    def digest(self) -> str:
        """Returns the SHA-256 of every finished run's results.csv, in their order."""
        digest = hashlib.sha256()
        for run in self.done:
            digest.update((run.folder / "results.csv").read_bytes())
        return digest.hexdigest()

    def versions(self) -> dict[str, list[str]]:
        """Returns what the runs were made with; several values where that changed between them."""
        found: dict[str, list[str]] = {}
        for said in self.said.values():
            for name, value in said.get("versions", {}).items():
                if value not in found.setdefault(name, []):
                    found[name].append(value)
        return found

    def without_detail(self) -> dict[str, str]:
        """Returns why runs have no details, by the run."""
        return {str(run): said["no detail"] for run, said in self.said.items() if "no detail" in said}

    def layers(self, cell: Cell, what: str) -> dict[str, list[Any]]:
        """Returns what each run says of its attention layers, a list for each layer.

        Args:
            cell: The model.
            what: `shares` of the gates after an identity start, or how far the `gates` spread.
        """
        found: dict[str, list[Any]] = {}
        for run in self.of(cell):
            for layer, said in self.said[run].get(what, {}).items():
                found.setdefault(layer, []).append(said)
        return found


def mean(values: Iterable[float]) -> float:
    """Returns the mean; NaN of nothing."""
    known = list(values)
    return statistics.fmean(known) if known else math.nan


def spread(values: Iterable[float]) -> float:
    """Returns the standard deviation; NaN of less than two."""
    known = list(values)
    return statistics.stdev(known) if len(known) > 1 else math.nan
