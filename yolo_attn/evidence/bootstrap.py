"""How sure a difference in accuracy is: the images are drawn anew, with repetition, the same ones for both networks.

An image that is drawn twice counts twice, with its detections and its labels. So a draw is a weight for each image, and
the curve of precision over recall is made of weighted counts, for many draws at once.
"""

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.stats import t
from ultralytics.utils.metrics import compute_ap

DRAWS, AT_ONCE = 1000, 100
LEVEL = 0.95
RECALLS = np.linspace(0, 1, 101)  # at which Ultralytics reads the curve
SLOPE = np.append(np.cumsum((1 - RECALLS)[::-1])[::-1], 0) / 100  # the area of 1 - recall from each of them on


class Outcome(Protocol):
    """What came of a validation, image by image."""

    images: int
    classes: np.ndarray  # those that the images are labelled with
    images_of: list[int]  # the number of images of each

    def accuracy(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns the accuracy in each draw, (draws,), and that of each class, (draws, classes).

        Args:
            weights: How often each image counts in each draw, (draws, images), whole numbers.
        """
        ...


@dataclass
class Detections:
    """What a network found in the images, a row a detection, and what is there, a row a label; measured in mAP50-95."""

    images: int
    image: np.ndarray  # of each detection, from 0 to images - 1
    hit: np.ndarray  # (detections, thresholds): does it overlap a label of its class so far?
    score: np.ndarray
    kind: np.ndarray  # its class
    label_image: np.ndarray
    label_kind: np.ndarray

    def __post_init__(self) -> None:
        self.classes = np.unique(self.label_kind).astype(int)
        order = np.argsort(-self.score)  # as Ultralytics does, so that ties come in its order
        self._found = {kind: order[self.kind[order] == kind] for kind in self.classes}
        self._there = {
            kind: np.bincount(self.label_image[self.label_kind == kind], minlength=self.images) for kind in self.classes
        }
        self.images_of = [int((there > 0).sum()) for there in self._there.values()]

    def accuracy(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns mAP and AP of each class, nan in a draw without a label of it, averaged over the thresholds."""
        found = np.full((len(weights), len(self.classes)), np.nan)
        for column, kind in enumerate(self.classes):
            labels = weights @ self._there[kind]
            drawn, mine = labels > 0, self._found[kind]
            found[drawn, column] = average_precision(
                weights[drawn], labels[drawn], self.image[mine], self.hit[mine]
            ).mean(1)
        return mean_of_classes(found), found


@dataclass
class Answers:
    """Whether a classifier's first answer was right, image by image; measured in top-1 accuracy."""

    right: np.ndarray
    kind: np.ndarray  # each image's class

    def __post_init__(self) -> None:
        self.images = len(self.right)
        self.classes, counts = np.unique(self.kind, return_counts=True)
        self.images_of = counts.tolist()

    def accuracy(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns the share of right answers, and that of each class, nan in a draw without an image of it."""
        member = (self.kind[:, None] == self.classes).astype(int)
        with np.errstate(invalid="ignore"):
            classes = (weights @ (member * self.right[:, None])) / (weights @ member)
        return (weights @ self.right) / weights.sum(1), classes


def average_precision(weights: np.ndarray, labels: np.ndarray, image: np.ndarray, hit: np.ndarray) -> np.ndarray:
    """Returns the average precision of one class in each draw at each threshold, (draws, thresholds).

    It is Ultralytics' `compute_ap`: between two hits the curve's envelope has the height of the second.

    Args:
        weights: How often each image counts in each draw, (draws, images).
        labels: The number of labels in each draw, at least 1.
        image: The image of each detection, the surest first.
        hit: Whether it is right at each threshold, (detections, thresholds).
    """
    taken = np.cumsum(weights[:, image], axis=1)  # detections up to each one
    found = np.zeros((len(weights), hit.shape[1]))
    for threshold in range(hit.shape[1]):
        hits = np.flatnonzero(hit[:, threshold])
        if not len(hits):
            continue
        right = np.cumsum(weights[:, image[hits]], axis=1)
        precision = right / np.maximum(taken[:, hits], 1)
        envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
        recall = right / labels[:, None]
        below = np.searchsorted(RECALLS, recall)  # how many of them lie below this hit's recall
        area = np.maximum(below - 0.5, 0) / 100  # by the trapezoid rule, whose first point counts half
        found[:, threshold] = (envelope * np.diff(area, axis=1, prepend=0)).sum(1)
        if slopes():
            last = right[:, -1] / np.maximum(taken[:, -1], 1)
            found[:, threshold] += last * SLOPE[below[:, -1]] / np.maximum(1 - recall[:, -1], 1e-9)
    return found


@functools.cache
def slopes() -> bool:
    """Tells whether the curve slopes down to recall 1 behind its last detection, as in 8.3.0, or falls to 0 at once."""
    return compute_ap([0.5], [1.0])[0] > 0.6


def mean_of_classes(found: np.ndarray) -> np.ndarray:
    """Returns the mean over the classes of which there is a label; 0 where there is none at all."""
    there = ~np.isnan(found)
    return np.where(there, found, 0).sum(1) / np.maximum(there.sum(1), 1)


def draws(images: int, count: int = DRAWS, seed: int = 0) -> Iterator[np.ndarray]:
    """Yields how often each image counts in each of `count` draws of as many images, some draws at a time."""
    generator = np.random.default_rng(seed)
    for start in range(0, count, AT_ONCE):
        drawn = generator.integers(0, images, (min(AT_ONCE, count - start), images))
        yield np.stack([np.bincount(one, minlength=images) for one in drawn])


def drawn(outcome: Outcome, count: int = DRAWS, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Returns the accuracy of an outcome in each draw, (draws,), and of each class, (draws, classes)."""
    overall, classes = zip(*(outcome.accuracy(weights) for weights in draws(outcome.images, count, seed)), strict=True)
    return np.concatenate(overall), np.concatenate(classes)


def interval(difference: float, draws: np.ndarray, images: int) -> tuple[float, float]:
    """Returns the bounds of the 95 % interval of a difference: Student's, with the deviation that the draws have.

    Args:
        difference: What was measured.
        draws: What it is in each draw; nan in one that says nothing.
        images: The number of images that speak of it. One alone says nothing.
    """
    if images < 2:
        return -np.inf, np.inf
    deviation = float(np.nanstd(draws)) * (images / (images - 1)) ** 0.5
    reach = float(t.ppf((1 + LEVEL) / 2, images - 1)) * deviation
    return difference - reach, difference + reach
