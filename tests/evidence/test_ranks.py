"""Ranks are the lowest for an error and the best for a time, and a time is kept as it is measured."""

import random

import pytest

from yolo_attn.errors import AttentionError
from yolo_attn.evidence import ranks
from yolo_attn.evidence.ranks import Budget, Time

ERRORS = {4: {2: 0.5, 8: 0.2, 16: 0.05}, 9: {2: 0.1, 8: 0.04, 16: 0.01, 32: 0.002}}


def test_every_rank_that_is_tried_is_cheaper_than_the_dense_form():
    for channels, hidden in ((512, 128), (128, 32), (64, 16), (16, 4)):
        found = ranks.ladder(channels, hidden)
        assert found == sorted(found) and len(found) > 1
        assert all(7 * rank * (channels + hidden) < 49 * channels * hidden for rank in found)


@pytest.mark.parametrize(
    ("text", "budget"), [("5%", Budget(0.05, True)), ("12.5%", Budget(0.125, True)), ("3ms", Budget(3, False))]
)
def test_a_budget_is_a_part_or_milliseconds(text, budget):
    found = ranks.read_budget(text)
    assert found == budget and ranks.read_budget(str(found)) == found


@pytest.mark.parametrize("text", ["5", "%", "ms", "-5%", "0ms", "5 s", "nan%", "inf%"])
def test_what_is_no_budget_says_what_is_one(text):
    with pytest.raises(AttentionError, match=r"budget=.* is no time: write budget=5%"):
        ranks.read_budget(text)


def test_for_an_error_each_row_has_the_lowest_rank_that_does():
    assert ranks.for_error(ERRORS, 0.05) == {4: 16, 9: 8}
    assert ranks.for_error(ERRORS, 0.5) == {4: 2, 9: 2}
    with pytest.raises(AttentionError, match=r"mse=0.02 is less than what row 4 comes to at rank 16, 0.050"):
        ranks.for_error(ERRORS, 0.02)


def test_a_time_is_spent_where_it_saves_most():
    def timed(four: int, nine: int) -> Time:
        return Time({4: 0.1 + 0.1 * four, 9: 0.1 + 0.1 * nine}, 100.0)

    assert ranks.for_time(ERRORS, Budget(1.25, False), timed) == {4: 8, 9: 2}  # 0.3 for 0.6 ms, and no more fits
    assert ranks.for_time(ERRORS, Budget(0.0201, True), timed) == {4: 16, 9: 2}  # 2 ms
    assert ranks.for_time(ERRORS, Budget(50, False), timed) == {4: 16, 9: 32}
    with pytest.raises(AttentionError, match=r"budget=0.5% is 0.50 ms beside 100.00, and the lowest ranks, 2 in row 4"):
        ranks.for_time(ERRORS, Budget(0.005, True), timed)


def test_a_time_is_kept_whatever_a_rank_really_takes():
    draw = random.Random(0)
    better = 0
    for _ in range(300):
        errors = {
            row: dict(zip((2, 8, 16, 32, 64), sorted((draw.random() for _ in range(5)), reverse=True), strict=True))
            for row in range(draw.randint(1, 4))
        }
        bends = {row: draw.uniform(0.3, 3) for row in errors}  # no straight line, unlike what is reckoned with

        def timed(*chosen: int, bends=bends) -> Time:
            return Time({row: 1 + (rank / 64) ** bends[row] for row, rank in enumerate(chosen)}, 50.0)

        least, most = timed(*[2] * len(errors)), timed(*[64] * len(errors))
        budget = Budget(draw.uniform(least.own, most.own) + 1e-6, False)
        found = ranks.for_time(errors, budget, timed)
        assert budget.holds(timed(*found.values()))
        better += any(rank > 2 for rank in found.values())
    assert better > 150
