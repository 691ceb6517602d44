"""The built-in data set "shapes": synthetic images that are drawn on first use, so that nothing need be downloaded.

Circles, squares, triangles and stars of many sizes, rotated, striped, pale or strong, at times blurred or part hidden,
on noisy backgrounds among lines, blobs and shapes that are none of the four. A small network begins to find them within
six CPU epochs and is then far from finding all. For tests, first steps and comparisons, not for papers.

Each image has its own random generator, seeded with `[SEED, split, index]`: same OpenCV and NumPy, same images.
A set is drawn in a temporary folder beside its own, which is renamed when complete: no half-written set is ever seen.
"""

import glob
import json
import os
import platform
import secrets
import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import psutil

CLASSES = ("circle", "square", "triangle", "star")
SETS = {"shapes": "detect", "shapes-seg": "segment", "shapes-cls": "classify"}  # folder and YAML -> task
COUNTS = {"train": 400, "val": 64}  # images
SIZE = 192  # pixels, width and height
SEED = 0
FORMAT = 1  # raise it when anything drawn or written changes: sets of another format are drawn again
MANIFEST = "shapes.json"
EMPTY = 0.06  # of the images show background only
LEAST_VISIBLE = 0.25  # of its area; an object that shows less carries no label
TYPICAL = 0.7  # of the objects wear the colour of their class: a hint, no proof
STALE_AFTER = 3600.0  # seconds after which the temporary folder of another machine is given up

Array = np.ndarray  # images are (SIZE, SIZE, 3) BGR, float32 in 0..255 while they are drawn; masks are (SIZE, SIZE)
Rng = np.random.Generator
Labels = list[tuple[int, Array]]  # class index, visible pixels


def _outline(corners: int, inner: float = 1.0, height: float = 1.0) -> Array:
    """Returns a polygon on the unit circle; `inner` pulls in every other corner, `height` flattens. (corners, 2)."""
    angles = np.arange(corners) * 2 * np.pi / corners
    radii = np.where(np.arange(corners) % 2, inner, 1.0)
    return np.stack([radii * np.cos(angles), radii * np.sin(angles) * height], axis=1)


OUTLINES = (_outline(48), _outline(4), _outline(3), _outline(10, inner=0.45))  # in the order of CLASSES
DISTRACTORS = (_outline(48, height=0.45), _outline(48)[:25], _outline(8, inner=0.25))  # ellipse, half disc, thin cross
COLOURS = np.array([(60, 60, 220), (60, 190, 60), (220, 110, 50), (50, 200, 230)])  # BGR, in the order of CLASSES


def _backdrop(rng: Rng) -> Array:
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


def _place(rng: Rng, outline: Array) -> Array:
    """Returns `outline` in pixels at a random position, size (small ones as often as large) and rotation."""
    radius, angle = SIZE * np.exp(rng.uniform(np.log(0.07), np.log(0.28))), rng.uniform(0, 2 * np.pi)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return rng.uniform(0.08, 0.92, 2) * SIZE + radius * outline @ turn


def _fill(points: Array) -> Array:
    """Returns how much of each pixel the polygon covers, 0 to 1."""
    mask = np.zeros((SIZE, SIZE), np.uint8)
    cv2.fillPoly(mask, [np.rint(points * 16).astype(np.int32)], (255,), cv2.LINE_AA, shift=4)
    return mask.astype(np.float32) / 255


def _paint(rng: Rng, image: Array, mask: Array, number: int) -> Array:
    """Returns `image` with a striped object, most often in the colour of class index `number`; -1 has none."""
    typical = number >= 0 and rng.random() < TYPICAL
    colour = COLOURS[number] + rng.normal(scale=30, size=3) if typical else rng.uniform(0, 255, 3)
    under = image[mask > 0.5].mean(axis=0, dtype=np.float64)
    wave = rng.uniform(-0.8, 0.8, 2) @ np.indices((SIZE, SIZE)).reshape(2, -1)
    stripes = rng.uniform(0, 22) * np.sign(np.sin(wave)).reshape(SIZE, SIZE, 1)
    filled = under + rng.uniform(0.3, 1) * (colour - under) + stripes  # the first factor is the contrast
    return image + (np.clip(filled, 0, 255).astype(np.float32) - image) * mask[..., None]


def _photograph(rng: Rng, image: Array) -> Array:
    """Returns the drawing blurred at times and always noisy. uint8."""
    if rng.random() < 0.4:
        width = int(rng.choice([3, 5]))
        image = cv2.GaussianBlur(np.rint(image).astype(np.uint8), (width, width), 0)
    noise = rng.normal(scale=rng.uniform(2, 10), size=image.shape)
    return np.clip(np.rint(image + noise), 0, 255).astype(np.uint8)


def _draw(rng: Rng, classes: list[int]) -> tuple[Array, Labels]:
    """Returns an image (uint8) with one object for each entry of `classes`, and labels for those that can be seen."""
    image = _backdrop(rng)
    shapes = [(number, OUTLINES[number]) for number in classes]
    shapes += [(-1, DISTRACTORS[i]) for i in rng.integers(0, len(DISTRACTORS), rng.integers(0, 3))]
    drawn: list[tuple[int, float, Array]] = []  # class index, area including hidden parts, visible pixels
    for i in rng.permutation(len(shapes)):
        number, outline = shapes[i]
        points = _place(rng, outline)
        mask = _fill(points)
        image = _paint(rng, image, mask, number)
        drawn = [(n, area, seen & (mask <= 0.5)) for n, area, seen in drawn]  # later shapes cover earlier ones
        drawn.append((number, cv2.contourArea(points.astype(np.float32)), mask > 0.5))
    labels = [(n, seen) for n, area, seen in drawn if n >= 0 and seen.sum() >= LEAST_VISIBLE * area]
    return _photograph(rng, image), labels


def _crop(rng: Rng, number: int) -> Array:
    """Returns a cut-out around one object of class index `number`, with a margin."""
    labels: Labels = []
    while not labels:  # a distractor may hide the object
        image, labels = _draw(rng, [number])
    x, y, width, height = cv2.boundingRect(labels[0][1].astype(np.uint8))
    margin = int(rng.uniform(0.1, 0.35) * max(width, height)) + 2
    return image[max(y - margin, 0) : y + height + margin, max(x - margin, 0) : x + width + margin]


def _box(seen: Array) -> list[float]:
    """Returns the box around the visible pixels: centre x, centre y, width, height, as fractions of the image."""
    x, y, width, height = cv2.boundingRect(seen.astype(np.uint8))
    return [(x + width / 2) / SIZE, (y + height / 2) / SIZE, width / SIZE, height / SIZE]


def _polygon(seen: Array) -> list[float]:
    """Returns the contour of the largest visible piece: x, y, x, y ... as fractions of the image."""
    fine = 4  # contours run through pixel centres; smaller pixels bring them to the edge
    enlarged = cv2.resize(seen.astype(np.uint8), None, fx=fine, fy=fine, interpolation=cv2.INTER_NEAREST)
    contours, _ = cv2.findContours(enlarged, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    contour = cv2.approxPolyDP(max(contours, key=cv2.contourArea), 0.5 * fine, closed=True)
    return ((contour.reshape(-1) + 0.5) / (fine * SIZE)).tolist()


def _jpeg(image: Array) -> bytes:
    return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes()


def _files(task: str, split: str, index: int) -> dict[str, bytes]:
    """Draws one image; returns its files, name -> content, in the layout that Ultralytics expects for `task`."""
    rng = np.random.default_rng([SEED, list(COUNTS).index(split), index])
    if task == "classify":
        number = index % len(CLASSES)
        return {f"{split}/{CLASSES[number]}/{index:04d}.jpg": _jpeg(_crop(rng, number))}
    count = 0 if rng.random() < EMPTY else rng.integers(1, 7)
    image, labels = _draw(rng, rng.integers(0, len(CLASSES), count).tolist())
    extent = _polygon if task == "segment" else _box
    rows = [" ".join([str(n), *(f"{value:.5f}" for value in extent(seen))]) + "\n" for n, seen in labels]
    return {f"images/{split}/{index:04d}.jpg": _jpeg(image), f"labels/{split}/{index:04d}.txt": "".join(rows).encode()}


def _header(task: str) -> dict[str, Any]:
    """Returns what a set says of itself."""
    return {"generator": "yolo_attn.data.shapes", "format": FORMAT, "task": task, "seed": SEED, "counts": COUNTS}


def _write(folder: Path, task: str, name: str) -> None:
    """Draws the whole set into `folder`; the manifest comes last."""
    from ultralytics.utils import TQDM

    sizes: dict[str, int] = {}
    for split, index in TQDM([(s, i) for s, n in COUNTS.items() for i in range(n)], desc=f"Drawing data set '{name}'"):
        for file, content in _files(task, split, index).items():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            sizes[file] = (folder / file).write_bytes(content)
    (folder / MANIFEST).write_text(json.dumps({**_header(task), "files": sizes}, indent=1))


def _manifest(root: Path) -> dict[str, Any]:
    """Returns the manifest of the set in `root`; empty where there is none of ours."""
    with suppress(OSError, ValueError):
        manifest = json.loads((root / MANIFEST).read_text())
        if isinstance(manifest, dict) and manifest.get("generator") == _header("")["generator"]:
            return manifest
    return {}


def is_complete(root: str | Path, task: str) -> bool:
    """Returns whether `root` holds this version's set for `task`, every file at its size. Takes milliseconds."""
    manifest = _manifest(Path(root))
    sizes = manifest.pop("files", None)
    try:
        return manifest == _header(task) and all((Path(root) / file).stat().st_size == sizes[file] for file in sizes)
    except OSError:
        return False


def _temporary(root: Path) -> Path:
    """Returns a new name beside `root` that tells which process writes there."""
    return root.with_name(f".{root.name}.drawing-{os.getpid()}-{secrets.token_hex(4)}-{platform.node()}")


def _remove_broken(root: Path) -> None:
    """Removes `root` if it is empty or a set of ours; leaves anything else, with an error."""
    from yolo_attn.errors import AttentionError

    aside = _temporary(root)
    with suppress(FileNotFoundError):  # another process was faster
        if not _manifest(root) and (root.is_file() or any(root.iterdir())):
            raise AttentionError(
                f"cannot draw the data set {root.name!r}: {root} exists and no {MANIFEST} in it says that it is ours; "
                f"remove or rename it, or choose another folder with: yolo settings datasets_dir=FOLDER"
            )
        root.rename(aside)  # deleting takes time, and a half-deleted set must not be seen
    shutil.rmtree(aside, ignore_errors=True)


def _remove_abandoned(root: Path) -> None:
    """Removes what killed runs left beside `root`: those of this machine can be asked for, others are judged by age."""
    for folder in root.parent.glob(f".{glob.escape(root.name)}.drawing-*-*-*"):
        pid, _, node = folder.name.partition(".drawing-")[2].split("-", 2)
        with suppress(FileNotFoundError):  # another process was faster
            age = time.time() - folder.stat().st_mtime
            if not psutil.pid_exists(int(pid)) if node == platform.node() else age > STALE_AFTER:
                shutil.rmtree(folder, ignore_errors=True)


def generate(root: str | Path, task: str = "detect") -> Path:
    """Draws the set for `task` (detect, segment, classify) into the folder `root`, unless it is there and complete.

    Returns the folder's absolute path.

    Raises:
        AttentionError: `root` holds something else, or cannot be written.
    """
    from yolo_attn.errors import AttentionError

    root = Path(root).resolve()
    if task not in SETS.values():
        raise AttentionError(
            f"no data set 'shapes' for the task {task!r}; there is one for: {', '.join(SETS.values())}"
        )
    there = os.path.lexists(root)  # asked first: what appears later is complete, and another process's
    if is_complete(root, task):
        return root
    folder = _temporary(root)
    try:
        root.parent.mkdir(parents=True, exist_ok=True)
        if there:
            _remove_broken(root)
        _remove_abandoned(root)
        _write(folder, task, root.name)
        folder.rename(root)  # fails where another process was faster
    except OSError as error:
        if not is_complete(root, task):
            raise AttentionError(
                f"cannot write the data set {root.name!r} in {root.parent} ({error.strerror or error}); "
                f"choose another folder with: yolo settings datasets_dir=FOLDER"
            ) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return root
