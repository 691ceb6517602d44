"""The scenes of the built-in data set: shapes among clutter, each labelled by what can be seen of it."""

import cv2
import numpy as np

CLASSES = ("circle", "square", "triangle", "star")
SIZE = 192  # pixels, width and height
LEAST_VISIBLE = 0.25  # of its area; an object that shows less carries no label
TYPICAL = 0.7  # of the objects wear the colour of their class: a hint, no proof

Array = np.ndarray  # images are (SIZE, SIZE, 3) BGR, float32 in 0..255 while they are drawn; masks are (SIZE, SIZE)
Rng = np.random.Generator
Labels = list[tuple[int, Array]]  # class index, visible pixels


def outline(corners: int, inner: float = 1.0, height: float = 1.0) -> Array:
    """Returns a polygon on the unit circle; `inner` pulls in every other corner, `height` flattens. (corners, 2)."""
    angles = np.arange(corners) * 2 * np.pi / corners
    radii = np.where(np.arange(corners) % 2, inner, 1.0)
    return np.stack([radii * np.cos(angles), radii * np.sin(angles) * height], axis=1)


OUTLINES = (outline(48), outline(4), outline(3), outline(10, inner=0.45))  # in the order of CLASSES
DISTRACTORS = (outline(48, height=0.45), outline(48)[:25], outline(8, inner=0.25))  # ellipse, half disc, thin cross
COLOURS = np.array([(60, 60, 220), (60, 190, 60), (220, 110, 50), (50, 200, 230)])  # BGR, in the order of CLASSES


def backdrop(rng: Rng) -> Array:
    """Returns a background: greyish clouds, with lines and blobs as clutter."""
    cells, tint, spread = rng.integers(2, 9), rng.uniform(40, 215) + rng.uniform(-25, 25, 3), rng.uniform(5, 25)
    clouds = np.clip(tint + rng.uniform(-spread, spread, (cells, cells, 3)), 0, 255).astype(np.uint8)
    image = cv2.resize(clouds, (SIZE, SIZE), interpolation=cv2.INTER_LINEAR_EXACT)  # the same on every processor
    for reach in [SIZE] * int(rng.integers(0, 7)) + [0] * int(rng.integers(0, 9)):  # lines, then blobs
        start = rng.integers(0, SIZE, 2)
        end = start + rng.integers(-reach, reach + 1, 2)
        colour, thickness = rng.uniform(0, 255, 3).tolist(), int(rng.integers(1, 5 if reach else 8))
        cv2.line(image, start.tolist(), end.tolist(), colour, thickness, cv2.LINE_AA)
    return image.astype(np.float32)


def place(rng: Rng, outline: Array) -> Array:
    """Returns `outline` in pixels at a random position, size (small ones as often as large) and rotation."""
    radius, angle = SIZE * np.exp(rng.uniform(np.log(0.07), np.log(0.28))), rng.uniform(0, 2 * np.pi)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return rng.uniform(0.08, 0.92, 2) * SIZE + radius * outline @ turn


def fill(points: Array) -> Array:
    """Returns how much of each pixel the polygon covers, 0 to 1."""
    mask = np.zeros((SIZE, SIZE), np.uint8)
    cv2.fillPoly(mask, [np.rint(points * 16).astype(np.int32)], (255,), cv2.LINE_AA, shift=4)
    return mask.astype(np.float32) / 255


def paint(rng: Rng, image: Array, mask: Array, number: int) -> None:
    """Draws into `image` a striped object, most often in the colour of class index `number`; -1 has none."""
    typical = number >= 0 and rng.random() < TYPICAL
    colour = COLOURS[number] + rng.normal(scale=30, size=3) if typical else rng.uniform(0, 255, 3)
    under = image[mask > 0.5].mean(axis=0, dtype=np.float64)
    wave, height, contrast = rng.uniform(-0.8, 0.8, 2), rng.uniform(0, 22), rng.uniform(0.3, 1)
    at = np.nonzero(mask)  # only what the object covers is worked out: a few per cent of the picture
    stripes = height * np.sign(np.sin(wave @ np.stack(at)))[:, None]
    filled = np.clip(under + contrast * (colour - under) + stripes, 0, 255).astype(np.float32)
    image[at] += (filled - image[at]) * mask[at][:, None]


def photograph(rng: Rng, image: Array) -> Array:
    """Returns the drawing blurred at times and always noisy. uint8."""
    if rng.random() < 0.4:
        width = int(rng.choice([3, 5]))
        image = cv2.GaussianBlur(np.rint(image).astype(np.uint8), (width, width), 0)
    noise = rng.normal(scale=rng.uniform(2, 10), size=image.shape)
    return np.clip(np.rint(image + noise), 0, 255).astype(np.uint8)


def draw(rng: Rng, classes: list[int]) -> tuple[Array, Labels]:
    """Returns an image (uint8) with one object for each entry of `classes`, and labels for those that can be seen."""
    image = backdrop(rng)
    shapes = [(number, OUTLINES[number]) for number in classes]
    shapes += [(-1, DISTRACTORS[i]) for i in rng.integers(0, len(DISTRACTORS), rng.integers(0, 3))]
    drawn: list[tuple[int, float, Array]] = []  # class index, area including hidden parts, visible pixels
    for i in rng.permutation(len(shapes)):
        number, outline = shapes[i]
        points = place(rng, outline)
        mask = fill(points)
        paint(rng, image, mask, number)
        drawn = [(n, area, seen & (mask <= 0.5)) for n, area, seen in drawn]  # later shapes cover earlier ones
        drawn.append((number, cv2.contourArea(points.astype(np.float32)), mask > 0.5))
    labels = [(n, seen) for n, area, seen in drawn if n >= 0 and seen.sum() >= LEAST_VISIBLE * area]
    return photograph(rng, image), labels


def crop(rng: Rng, number: int) -> Array:
    """Returns a cut-out around one object of class index `number`, with a margin."""
    labels: Labels = []
    while not labels:  # a distractor may hide the object
        image, labels = draw(rng, [number])
    x, y, width, height = cv2.boundingRect(labels[0][1].astype(np.uint8))
    margin = int(rng.uniform(0.1, 0.35) * max(width, height)) + 2
    return image[max(y - margin, 0) : y + height + margin, max(x - margin, 0) : x + width + margin]


def box(seen: Array) -> list[float]:
    """Returns the box around the visible pixels: centre x, centre y, width, height, as fractions of the image."""
    x, y, width, height = cv2.boundingRect(seen.astype(np.uint8))
    return [(x + width / 2) / SIZE, (y + height / 2) / SIZE, width / SIZE, height / SIZE]


def polygon(seen: Array) -> list[float]:
    """Returns the contour of the largest visible piece: x, y, x, y ... as fractions of the image."""
    fine = 4  # contours run through pixel centres; smaller pixels bring them to the edge
    enlarged = cv2.resize(seen.astype(np.uint8), None, fx=fine, fy=fine, interpolation=cv2.INTER_NEAREST)
    contours, _ = cv2.findContours(enlarged, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    contour = cv2.approxPolyDP(max(contours, key=cv2.contourArea), 0.5 * fine, closed=True)
    return ((contour.reshape(-1) + 0.5) / (fine * SIZE)).tolist()
