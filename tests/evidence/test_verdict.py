"""Verdicts on simulated scores: they keep the rates that they promise."""

import gc
import math

import numpy as np
import pytest
from scipy import stats

from yolo_attn.evidence.verdict import holm, judge, noise, smallest_difference

SEEDS = range(5)


@pytest.fixture(autouse=True, scope="module")
def what_is_there_is_not_collected():
    """statsmodels collects garbage in every correction: with the suite's objects a tenth of a second each time."""
    holm(np.array([0.5]))  # imports it
    gc.freeze()
    yield
    gc.unfreeze()


def table(values) -> dict[int, float]:
    return dict(enumerate(map(float, values)))


def words(base, others, margin=0.5, seeds=SEEDS) -> list[str]:
    judged = judge(table(base), {str(i): table(row) for i, row in enumerate(others)}, seeds, margin)
    return [one.word for one in judged.values()]


@pytest.mark.parametrize("spreads", [np.ones(10), np.linspace(0.1, 4, 10)], ids=["equal", "unequal"])
def test_at_most_one_family_of_twenty_has_a_false_winner(spreads):
    """Five thousand nulls in families of ten, all compared with one base."""
    rng, winners = np.random.default_rng(0), 0
    for _ in range(500):
        base = rng.normal(40, 1, 5)
        winners += "better" in words(base, 40 + rng.normal(0, 1, (10, 5)) * spreads[:, None], margin=0)
    assert winners / 500 <= 0.05


def test_a_difference_that_was_promised_is_found():
    """Where the noise of two base runs promises that 2 points would be found, they are found in 90 % at least."""
    rng, found = np.random.default_rng(1), []
    while len(found) < 500:
        spread = rng.uniform(0.1, 1)
        base, again = rng.normal(40, spread, (2, 5))
        if smallest_difference(noise(table(base), table(again)), 5, 3) > 2:
            continue
        others = 40 + rng.normal(0, spread, (3, 5))
        others[0] += 2
        found.append(words(base, others)[0] == "better")
    assert np.mean(found) >= 0.9


def test_the_smallest_difference_is_found_in_nine_of_ten():
    rng = np.random.default_rng(2)
    planted = smallest_difference(1.0, 5, 1)
    found = [words(range(5), [range(5) + rng.normal(planted, 1, 5)], margin=0)[0] == "better" for _ in range(2000)]
    assert np.mean(found) == pytest.approx(0.9, abs=0.02)


def test_the_intervals_are_those_of_the_t_distribution_and_holm():
    base, cell, other = [40, 41, 42, 40, 41.0], [42, 42.5, 44.2, 41.7, 43], [40.2, 40.9, 42.3, 39.8, 41.1]
    one, two = judge(table(base), {"a": table(cell), "b": table(other)}, SEEDS, 0.5).values()
    first = stats.ttest_rel(cell, base)
    low, high = first.confidence_interval(0.95)
    assert (one.low, one.high) == pytest.approx((low, high))
    assert (one.word, one.p) == ("better", pytest.approx(2 * first.pvalue))
    assert (two.word, two.p) == ("equivalent", pytest.approx(stats.ttest_rel(other, base).pvalue))


def test_worse_and_equivalent():
    base = np.array([40, 41, 42, 40, 41.0])
    wiggle = np.array([0.1, -0.1, 0.05, 0.0, -0.05])
    assert words(base, [base - 2 + wiggle, base + wiggle, base + 0.3 + wiggle]) == ["worse", "equivalent", "equivalent"]


def test_an_undecided_one_says_how_many_seeds_would_do():
    d = np.array([1.5, -0.5, 2.0, 0.2, -0.4])
    base = np.array([40, 41, 42, 40, 41.0])
    judged = judge(table(base), {"a": table(base + d)}, SEEDS, 0.1)["a"]
    assert judged.word == "undecided" and str(judged) == f"undecided ({judged.more} more seeds would do)"
    for more, decided in ((judged.more, True), (judged.more - 1, False)):
        n = 5 + more
        half = stats.t.ppf(0.975, n - 1) * d.std(ddof=1) / math.sqrt(n)
        assert (half < d.mean()) == decided


@pytest.mark.parametrize(
    ("scores", "reason"),
    [
        ({0: 40.0, 1: 41.0, 2: 42.0, 3: 41.5}, "it has no score for seed 4"),
        ({0: 40.0, 1: math.nan, 2: 42.0, 3: 41.5, 4: math.inf}, "it has no score for seed 1, 4"),
        (dict.fromkeys(SEEDS, 40.0), "every seed of it gives the same score"),
        (table([40, 41, 42, 40, 41.5]), "by the same amount in every seed"),
        (table([42, 43, 44, 42, 43.5]), "by the same amount in every seed"),
    ],
    ids=["missing", "not finite", "seeds change nothing", "the base itself", "the base and a number"],
)
def test_no_verdict(scores, reason):
    good = table([41, 41.2, 42.4, 40, 42])
    judged = judge(table([40, 41, 42, 40, 41.5]), {"bad": scores, "good": good}, SEEDS, 0.5)
    assert judged["bad"].word == "failed" and reason in judged["bad"].reason
    assert judged["good"].word == "undecided" and judged["good"].p == pytest.approx(
        stats.ttest_1samp([1, 0.2, 0.4, 0, 0.5], 0).pvalue
    )


def test_no_verdict_without_the_base():
    good = table([41, 41.2, 42.4, 40, 42])
    judged = judge({0: 40.0, 1: 41.0}, {"good": good}, SEEDS, 0.5)["good"]
    assert str(judged) == "failed: the base has no score for seed 2, 3, 4"
