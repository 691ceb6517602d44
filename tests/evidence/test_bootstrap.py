"""A draw's weights mean what repeated images mean, and intervals hold what they promise."""

import numpy as np
import pytest
from ultralytics.utils import metrics

from tests.support.planted import pair, truth
from yolo_attn.evidence import bootstrap
from yolo_attn.evidence.bootstrap import Answers, Detections, drawn, interval


def repeated(found: Detections, weights: np.ndarray) -> tuple:
    """The arguments of Ultralytics' measure, with each image as often as its weight says."""
    picked = np.repeat(np.arange(len(found.image)), weights[found.image])
    labels = np.repeat(found.label_kind, weights[found.label_image])
    return found.hit[picked], found.score[picked], found.kind[picked], labels


def theirs(*arguments) -> np.ndarray:
    """Average precision of each class as Ultralytics computes it, the mean over the thresholds."""
    return metrics.ap_per_class(*arguments)[5].mean(1)


@pytest.mark.parametrize("seed", range(4))
def test_a_weighted_curve_is_the_curve_of_repeated_images(seed):
    found, _ = pair(np.random.default_rng(seed), 25, 0.0)
    weights = np.stack([np.ones(25, int), *next(bootstrap.draws(25, 8, seed))])
    overall, each = found.accuracy(weights)
    for draw, drawn_weights in enumerate(weights):
        want = theirs(*repeated(found, drawn_weights))
        np.testing.assert_allclose(each[draw], want, atol=1e-12)
        np.testing.assert_allclose(overall[draw], want.mean(), atol=1e-12)


def test_a_curve_that_slopes_down_behind_its_end_does_here(monkeypatch):
    """As in 8.3.0: from the last detection to recall 1 and precision 0."""

    def compute_ap(recall, precision):
        mrec, mpre = np.concatenate(([0.0], recall, [1.0])), np.concatenate(([1.0], precision, [0.0]))
        mpre = np.flip(np.maximum.accumulate(np.flip(mpre)))
        return np.trapezoid(np.interp(np.linspace(0, 1, 101), mrec, mpre), np.linspace(0, 1, 101)), mpre, mrec

    monkeypatch.setattr(metrics, "compute_ap", compute_ap)
    monkeypatch.setattr(bootstrap, "slopes", lambda: True)
    found, _ = pair(np.random.default_rng(5), 25, 0.0)
    weights = next(bootstrap.draws(25, 5))
    for draw, each in zip(weights, found.accuracy(weights)[1], strict=True):
        np.testing.assert_allclose(each, theirs(*repeated(found, draw)), atol=1e-12)


def test_a_class_that_a_draw_has_no_label_of_does_not_count():
    nothing = np.zeros(0, int)
    found = Detections(2, nothing, np.zeros((0, 10), bool), np.zeros(0), nothing, np.array([0, 1]), np.array([3, 7]))
    overall, each = found.accuracy(np.array([[2, 0], [1, 1]]))
    np.testing.assert_equal(each, [[0, np.nan], [0, 0]])
    np.testing.assert_equal(overall, [0, 0])


def test_answers_are_counted_by_weight():
    answers = Answers(np.array([True, False, True]), np.array([0, 0, 1]))
    overall, each = answers.accuracy(np.array([[1, 1, 1], [0, 3, 0]]))
    np.testing.assert_allclose(overall, [2 / 3, 0])
    np.testing.assert_equal(each, [[0.5, 1], [0, np.nan]])


def test_one_image_says_nothing():
    assert interval(0.2, np.full(5, 0.2), 1) == (-np.inf, np.inf)
    assert interval(0.0, np.zeros(5), 30) == (0, 0)


@pytest.mark.parametrize("effect", [0.0, 0.3])
def test_intervals_cover_what_was_planted(effect):
    """95 % of 100 intervals, but for what 100 can tell; benchmarks.evidence.coverage has the long run."""
    generator, planted = np.random.default_rng(2), truth(effect, thresholds=3)
    covered = 0
    for seed in range(100):
        one, other = pair(generator, 60, effect, thresholds=3)
        whole = np.ones((1, 60), int)
        difference = (one.accuracy(whole)[0] - other.accuracy(whole)[0])[0]
        low, high = interval(difference, drawn(one, 200, seed)[0] - drawn(other, 200, seed)[0], 60)
        covered += low <= planted <= high
    assert 89 <= covered <= 99
