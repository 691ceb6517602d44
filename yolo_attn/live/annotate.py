"""A result drawn on its frame."""

import colorsys

import cv2
import numpy as np

from yolo_attn.live.gates import tinted
from yolo_attn.live.results import Result, corners
from yolo_attn.live.zone_counts import Zone

FONT = cv2.FONT_HERSHEY_SIMPLEX
# Which of COCO's 17 keypoints are joined: face, arms, trunk, legs.
BONES = ((0, 1), (0, 2), (1, 3), (2, 4), (5, 7), (7, 9), (6, 8), (8, 10), (5, 6), (5, 11), (6, 12), (11, 12),
         (11, 13), (13, 15), (12, 14), (14, 16))  # fmt: skip
ZONE = (255, 220, 90)  # the colour of zones and lines, BGR
SEEN = 0.25  # the least visibility of a keypoint that is drawn


def color(class_id: int) -> tuple[int, int, int]:
    """Returns a class's colour, BGR: neighbours in number are far apart in hue."""
    red, green, blue = colorsys.hsv_to_rgb(class_id * 0.618034 % 1, 0.75, 1.0)
    return int(blue * 255), int(green * 255), int(red * 255)


def annotate(result: Result, gate: int = -1) -> np.ndarray:
    """Returns a copy of the frame, (H, W, 3) BGR, with all that was found in it.

    Args:
        result: The frame and what was found.
        gate: Which of its gates lies over the frame; none where there is none of that number.
    """
    shown = result.gates[gate] if 0 <= gate < len(result.gates) else None
    image = result.frame.copy() if shown is None else tinted(result.frame, shown)
    width = max(round(sum(image.shape[:2]) / 800), 1)
    if result.mask is not None:
        for class_id, mask, box in zip(result.class_id, result.mask, result.xyxy, strict=True):
            _tint(image, mask, box, color(int(class_id)))
    polygons = corners(result.xywhr) if result.xywhr is not None else None
    for i in range(len(result)):
        shade = color(int(result.class_id[i]))
        x1, y1, x2, y2 = result.xyxy[i].astype(int).tolist()
        if polygons is None:
            cv2.rectangle(image, (x1, y1), (x2, y2), shade, width, cv2.LINE_AA)
        else:
            cv2.polylines(image, [polygons[i].astype(np.int32)], True, shade, width, cv2.LINE_AA)
        number = "" if result.track_id is None or result.track_id[i] < 0 else f" #{result.track_id[i]}"
        label = f"{result.name(result.class_id[i])}{number} {result.confidence[i]:.2f}"
        text(image, label, (x1, y1), shade, above=True)
        if result.keypoints is not None:
            _skeleton(image, result.keypoints[i], shade, width)
    for zone in result.zones:
        _zone(image, zone, width)
    if result.probs is not None:
        for line, (class_id, probability) in enumerate(result.top()):
            text(image, f"{result.name(class_id)} {probability:.2f}", (0, 30 + line * 20), color(class_id))
    if shown is not None:
        said = f"gate of {shown.layer}, 0 to {shown.values.max():.2f}"
        text(image, said, (0, image.shape[0] - 40), (50, 50, 50))
    return image


def text(image: np.ndarray, words: str, at: tuple[int, int], background: tuple[int, int, int], above=False) -> None:
    """Writes words on a plate of colour, with the corner `at` at its lower (`above`) or upper left, moved into view."""
    scale = max(sum(image.shape[:2]) / 3500, 0.4)
    (width, height), base = cv2.getTextSize(words, FONT, scale, 1)
    x = max(min(at[0], image.shape[1] - width - 4), 0)
    y = max(at[1] - height - base - 2, 0) if above else at[1]
    cv2.rectangle(image, (x, y), (x + width + 4, y + height + base + 2), background, -1)
    light = sum(background) > 380
    shade = (0, 0, 0) if light else (255, 255, 255)
    cv2.putText(image, words, (x + 2, y + height + 2), FONT, scale, shade, 1, cv2.LINE_AA)


def silent(image: np.ndarray | None, words: str) -> np.ndarray:
    """Returns the last picture of a source that sends none, dark, with words on it; a gray one where there was none."""
    image = np.full((360, 640, 3), 40, np.uint8) if image is None else image // 3
    text(image, words, (8, image.shape[0] // 2), (0, 0, 200))
    return image


def _tint(image: np.ndarray, mask: np.ndarray, box: np.ndarray, shade: tuple[int, int, int]) -> None:
    x1, y1, x2, y2 = np.ceil(box).astype(int)
    part, inside = image[y1:y2, x1:x2], mask[y1:y2, x1:x2]
    part[inside] = part[inside] // 2 + np.array(shade, np.uint8) // 2


def _zone(image: np.ndarray, zone: Zone, width: int) -> None:
    points = np.array(zone.shape.points, np.int32)
    if zone.shape.is_line:
        cv2.line(image, points[0].tolist(), points[1].tolist(), ZONE, width + 1, cv2.LINE_AA)
        along, middle = points[1] - points[0], points.mean(0)
        tip = middle + np.array([along[1], -along[0]]) / max(np.hypot(*along), 1) * 12 * width  # which way is in
        cv2.arrowedLine(image, middle.astype(int).tolist(), tip.astype(int).tolist(), ZONE, width, cv2.LINE_AA, 0, 0.4)
        words = f"{zone.shape.name}: in {zone.entered}, out {zone.left}"
    else:
        cv2.polylines(image, [points], True, ZONE, width + 1, cv2.LINE_AA)
        words = f"{zone.shape.name}: {zone.inside}"
    x, y = points[points[:, 1].argmin()].tolist()
    text(image, words, (x, y), ZONE, above=True)


def _skeleton(image: np.ndarray, points: np.ndarray, shade: tuple[int, int, int], width: int) -> None:
    shown = points[:, 2] > SEEN if points.shape[1] == 3 else np.ones(len(points), bool)
    places = points[:, :2].astype(int).tolist()
    for a, b in BONES if len(points) == 17 else ():
        if shown[a] and shown[b]:
            cv2.line(image, places[a], places[b], shade, width, cv2.LINE_AA)
    for place, visible in zip(places, shown, strict=True):
        if visible:
            cv2.circle(image, place, width + 1, shade, -1, cv2.LINE_AA)
