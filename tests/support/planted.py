"""Detections of two networks on the same images, of which it is known which one is better, and by how much."""

import numpy as np

from yolo_attn.evidence.bootstrap import Detections

CLASSES = 2


def pair(generator: np.random.Generator, images: int, effect: float, thresholds: int = 10) -> list[Detections]:
    """Returns what two networks found. Images and objects are hard or easy for both; the first is better by `effect`.

    Args:
        generator: Of all that is drawn.
        images: The number of images, of two objects each on average.
        effect: What the first has more of the quality that an object is found, placed and scored by; 0 plants nothing.
        thresholds: How many of the overlaps from 0.5 to 0.95 count.
    """
    label_image = np.repeat(np.arange(images), generator.poisson(2, images))
    label_kind = generator.integers(0, CLASSES, len(label_image))
    hard = generator.normal(size=images)[label_image] + generator.normal(size=len(label_image))
    limits = np.linspace(0.5, 0.95, thresholds)
    found = []
    for more in (effect, 0.0):
        quality = 0.8 + more - 0.3 * hard + 0.4 * generator.normal(size=len(hard))
        seen = quality > 0
        overlap = np.clip(0.5 + 0.25 * quality + 0.08 * generator.normal(size=len(hard)), 0, 0.99)[seen]
        score = sigmoid(quality + 0.5 * generator.normal(size=len(hard)))[seen]
        wrong = np.repeat(np.arange(images), generator.poisson(3, images))
        wrong_score = sigmoid(generator.normal(size=len(wrong)) - 0.7)
        found.append(
            Detections(
                images,
                image=np.concatenate([label_image[seen], wrong]),
                hit=np.concatenate([overlap[:, None] >= limits, np.zeros((len(wrong), thresholds), bool)]),
                score=np.concatenate([score, wrong_score]),
                kind=np.concatenate([label_kind[seen], generator.integers(0, CLASSES, len(wrong))]),
                label_image=label_image,
                label_kind=label_kind,
            )
        )
    return found


def truth(effect: float, thresholds: int = 10, images: int = 100_000) -> float:
    """Returns the difference of both in the long run: that of very many images, or none where nothing is planted."""
    if not effect:
        return 0.0
    one, other = pair(np.random.default_rng(1), images, effect, thresholds)
    weights = np.ones((1, images), int)
    return float((one.accuracy(weights)[0] - other.accuracy(weights)[0])[0])


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))
