"""What paired seeds say: better, worse, equivalent, undecided or failed. Scores are points, 100 times a metric.

A t test over the differences of each seed, corrected by Holm over everything that is compared with the same base. A
difference counts as none where its interval lies within the margin that was set before the runs.

Bouthillier et al., "Accounting for Variance in Machine Learning Benchmarks", 2021, arXiv 2103.03098, is why seeds are
paired and why a single run decides nothing.
"""

import functools
import math
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import NamedTuple

import numpy as np
from scipy import special, stats

from yolo_attn.errors import AttentionError

ALPHA, POWER = 0.05, 0.9
MOST = 100  # seeds that anybody would be told to run
PACKAGES = ("statsmodels", "hotcoco")  # of the extra; the others of it come with torch


class Verdict(NamedTuple):
    """What is known of a model beside the base.

    `difference` is the mean of its scores less the base's, `low` and `high` its 95 % interval, `p` what the test gave
    after the correction. `more` seeds would decide what is undecided, should the difference and its spread stay as they
    are; 0 where no number would. A failed one has a `reason`.
    """

    word: str
    difference: float = math.nan
    low: float = math.nan
    high: float = math.nan
    p: float = math.nan
    more: int = 0
    reason: str = ""

    def __str__(self) -> str:
        if self.word == "failed":
            return f"failed: {self.reason}"
        if self.word != "undecided":
            return self.word
        return f"undecided ({self.more} more seeds would do)" if self.more else "undecided"


def check_packages() -> None:
    """Looks for what a comparison needs, before anything is done.

    Raises:
        AttentionError: A package of the extra is not installed.
    """
    if missing := [name for name in PACKAGES if find_spec(name) is None]:
        raise AttentionError(f"verdicts need {', '.join(missing)}: pip install 'yolo_attn[evidence]'")


def judge(
    base: Mapping[int, float], others: Mapping[str, Mapping[int, float]], seeds: Sequence[int], margin: float
) -> dict[str, Verdict]:
    """Returns the verdict on each of `others`.

    Args:
        base: The base's score of each seed.
        others: Each other model's, by its name. A seed that is missing or not finite makes its model fail.
        seeds: The seeds that were planned, two at least.
        margin: What counts as no difference, in points.
    """
    verdicts, differences = {}, {}
    for name, scores in others.items():
        if reason := _unfit(base, scores, seeds):
            verdicts[name] = Verdict("failed", reason=reason)
        else:
            differences[name] = np.array([scores[seed] - base[seed] for seed in seeds])
    if differences:
        table = np.stack(list(differences.values()))
        raw = stats.ttest_1samp(table, 0.0, axis=1).pvalue
        for (name, d), p, corrected in zip(differences.items(), raw, holm(raw), strict=True):
            verdicts[name] = _verdict(d, float(p), float(corrected), margin)
    return {name: verdicts[name] for name in others}


def holm(p: np.ndarray) -> np.ndarray:
    """Returns the p values, corrected by Holm for their number."""
    from statsmodels.stats.multitest import multipletests

    return multipletests(p, ALPHA, method="holm")[1]


def smallest_difference(spread: float, seeds: int, compared: int) -> float:
    """Returns the difference in points that is found in 9 of 10 comparisons, should there be one.

    Args:
        spread: The standard deviation of a difference between two runs, in points.
        seeds: The runs of each model.
        compared: How many models are compared with the base.
    """
    return _effect(seeds, max(compared, 1)) * spread


@functools.cache
def _effect(seeds: int, compared: int) -> float:
    from statsmodels.stats.power import TTestPower

    return float(TTestPower().solve_power(nobs=seeds, alpha=ALPHA / compared, power=POWER))


def noise(base: Mapping[int, float], again: Mapping[int, float]) -> float:
    """Returns the standard deviation of a difference between runs that differ in their seeds alone, in points.

    With few runs it is easily taken too low: this is the upper end of its one-sided 90 % interval.
    """
    differences = np.array(list(base.values())) - np.array(list(again.values()))
    free = len(differences) - 1
    return float(differences.std(ddof=1) * math.sqrt(free / stats.chi2.ppf(1 - POWER, free)))


def same(scores: Mapping[int, float]) -> bool:
    """Tells whether several seeds gave one and the same score: the seed reached nothing, and nothing can be said."""
    return len(scores) > 1 and len(set(scores.values())) == 1


def _unfit(base: Mapping[int, float], scores: Mapping[int, float], seeds: Sequence[int]) -> str:
    """Returns why nothing can be said of these scores; nothing where something can."""
    for name, of in (("the base", base), ("it", scores)):
        missing = [seed for seed in seeds if not math.isfinite(of.get(seed, math.nan))]
        if missing:
            return f"{name} has no score for seed {', '.join(map(str, missing))}"
        if same(of):
            return f"every seed of {name} gives the same score, so the seeds change nothing"
    if len({round(scores[seed] - base[seed], 9) for seed in seeds}) == 1:
        return "it differs from the base by the same amount in every seed: the runs are no independent ones"
    return ""


def _verdict(d: np.ndarray, p: float, corrected: float, margin: float) -> Verdict:
    mean, spread, n = float(d.mean()), float(d.std(ddof=1)), len(d)
    half = float(_half(spread, n, ALPHA))
    known = Verdict("", mean, mean - half, mean + half, corrected)
    if -margin <= known.low and known.high <= margin:
        return known._replace(word="equivalent")
    if corrected < ALPHA:
        return known._replace(word="better" if mean > 0 else "worse")
    strict = ALPHA * p / corrected  # what Holm asks of this one
    return known._replace(word="undecided", more=_further(mean, spread, n, strict, margin))


def _further(mean: float, spread: float, n: int, strict: float, margin: float) -> int:
    """Returns how many runs beyond `n` would decide, should mean and spread stay; 0 where no number would."""
    runs = np.arange(n + 1, MOST)
    decides = (_half(spread, runs, strict) < abs(mean)) | (abs(mean) + _half(spread, runs, ALPHA) < margin)
    return int(decides.argmax()) + 1 if decides.any() else 0


def _half(spread, n, alpha):
    """Returns half the width of an interval of a mean of `n` with this spread."""
    return special.stdtrit(n - 1, 1 - alpha / 2) * spread / np.sqrt(n)
