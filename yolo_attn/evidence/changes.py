"""What a layer changes in what is found: boxes lost, gained and moved when it is switched off."""

from typing import Any, NamedTuple

import torch
from torchvision.ops import box_iou

SAME = 0.5  # of the union: the same object


class Box(NamedTuple):
    """A box of one class, `(x1, y1, x2, y2)` in the picture's pixels, and its score."""

    cls: int
    corners: tuple[float, float, float, float]
    score: float


class Changes(NamedTuple):
    """What is only there with the layer, what only without it, and pairs of what is there with and without it."""

    lost: list[Box]
    gained: list[Box]
    kept: list[tuple[Box, Box]]

    def __str__(self) -> str:
        scores = [without.score - with_it.score for with_it, without in self.kept]
        moved = sum(with_it.corners != without.corners for with_it, without in self.kept)
        largest = max(scores, key=abs, default=0.0)
        return (
            f"without it {len(self.lost)} boxes are lost, {len(self.gained)} gained, {moved} moved; "
            f"a score by {largest:+.2f} at most"
        )


def boxes_of(result: Any) -> list[Box]:
    """Returns the boxes of one of Ultralytics' results, oriented ones by what surrounds them."""
    found = result.boxes if result.boxes is not None else result.obb
    if found is None:
        return []
    rows = zip(found.cls.tolist(), found.xyxy.tolist(), found.conf.tolist(), strict=True)
    return [Box(int(cls), tuple(corners), score) for cls, corners, score in rows]


def between(with_it: list[Box], without: list[Box]) -> Changes:
    """Compares what is found with a layer and without it: boxes of one class that overlap are the same, best first."""
    left, lost, kept = list(without), [], []
    for box in sorted(with_it, key=lambda one: -one.score):
        others = [other for other in left if other.cls == box.cls]
        overlap = _overlap(box, others)
        if others and float(overlap.max()) >= SAME:
            other = others[int(overlap.argmax())]
            left.remove(other)
            kept.append((box, other))
        else:
            lost.append(box)
    return Changes(lost, left, kept)


def classes_between(with_it: Any, without: Any, count: int = 5) -> str:
    """Returns how the scores of a classifier's first classes change when a layer is switched off."""
    before, after = with_it.probs.data, without.probs.data
    names = with_it.names
    said = [f"{names[int(i)]} {before[i]:.2f} → {after[i]:.2f}" for i in before.topk(min(count, len(before))).indices]
    return "without it: " + ", ".join(said)


def _overlap(box: Box, others: list[Box]) -> torch.Tensor:
    if not others:
        return torch.empty(0)
    return box_iou(torch.tensor([box.corners]), torch.tensor([other.corners for other in others]))[0]
