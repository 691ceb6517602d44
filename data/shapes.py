"""The built-in data set "shapes": synthetic images that draw themselves on first use, with nothing to download.

Circles, squares, triangles and stars of all sizes, rotated, textured, blurred, at times in low contrast and partly hidden
by one another, on noisy backgrounds among lines, blobs and shapes that are none of the four. A small network begins to
find them within a few CPU epochs and is far from finding all. For tests, first steps and comparisons, not for papers.

Each image has its own random generator, seeded with `[SEED, split, index]`: images depend on neither order nor machine.
A set is drawn in a temporary folder beside its own and renamed when complete, so a half-written one is never seen.
"""

import glob
import json
import os
import platform
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import cv2
import numpy as np

CLASSES = ("circle", "square", "triangle", "star")
SETS = {"shapes": "detect", "shapes-seg": "segment", "shapes-cls": "classify"}  # folder and YAML name -> task
COLOURS = np.array([(60, 60, 220), (60, 190, 60), (220, 110, 50), (50, 200, 230)])  # BGR: red, green, blue, yellow
TYPICAL = 0.7  # of the objects wear the colour of their class, a hint that is no proof
COUNTS = {"train": 400, "val": 64}  # images
SIZE = 192  # pixels, width and height
SEED = 0
FORMAT = 1  # raise it when anything drawn or written changes: sets of another format are drawn again
MANIFEST = "shapes.json"
LEAST_VISIBLE = 0.25  # objects of which less is to be seen carry no label
STALE_AFTER = 3600.0  # seconds without a write, where the writing process cannot be asked for

Generator = np.random.Generator
Image = np.ndarray  # (SIZE, SIZE, 3) BGR, float32 in 0..255 while it is drawn
Mask = np.ndarray  # (SIZE, SIZE), float32 coverage in 0..1, or bool
Labels = list[tuple[int, Mask]]  # class index and visible pixels


def _outline(corners: int, inner: float = 1.0, height: float = 1.0) -> np.ndarray:
    """Returns a polygon on the unit circle; `inner` pulls in every second corner, `height` flattens. (corners, 2)."""
    angles = np.arange(corners) * 2 * np.pi / corners
    radii = np.where(np.arange(corners) % 2, inner, 1.0)
    return np.stack([radii * np.cos(angles), radii * np.sin(angles) * height], axis=1)


OUTLINES = (_outline(48), _outline(4), _outline(3), _outline(10, inner=0.45))  # in the order of CLASSES
CROSS = np.array(
    [(3, 1), (1, 1), (1, 3), (-1, 3), (-1, 1), (-3, 1), (-3, -1), (-1, -1), (-1, -3), (1, -3), (1, -1), (3, -1)]
)
DISTRACTORS = (_outline(48, height=0.45), _outline(8, inner=0.25), CROSS / np.sqrt(10))  # ellipse, sparkle, cross


# Drawing ------------------------------------------------------------------------------------------------------------


def _backdrop(rng: Generator) -> Image:
    """Returns a background: soft clouds of colour, then lines and blobs as clutter."""
    cells = int(rng.integers(2, 9))
    tint, spread = rng.uniform(40, 215) + rng.uniform(-25, 25, 3), rng.uniform(5, 25)
    clouds = np.clip(tint + rng.uniform(-spread, spread, (cells, cells, 3)), 0, 255).astype(np.uint8)
    image = cv2.resize(clouds, (SIZE, SIZE), interpolation=cv2.INTER_LINEAR_EXACT)  # the same on every processor
    for _ in range(rng.integers(0, 7)):
        start, end = rng.integers(0, SIZE, (2, 2)).tolist()
        cv2.line(image, start, end, rng.uniform(0, 255, 3).tolist(), int(rng.integers(1, 4)), cv2.LINE_AA)
    for _ in range(rng.integers(0, 9)):
        centre, radius = rng.integers(0, SIZE, 2).tolist(), int(rng.integers(1, 4))
        cv2.circle(image, centre, radius, rng.uniform(0, 255, 3).tolist(), cv2.FILLED, cv2.LINE_AA)
    return image.astype(np.float32)


def _place(rng: Generator, outline: np.ndarray) -> np.ndarray:
    """Returns `outline` in pixels at a random position, size (small ones as often as large) and rotation."""
    radius = SIZE * np.exp(rng.uniform(np.log(0.08), np.log(0.28)))
    angle = rng.uniform(0, 2 * np.pi)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return rng.uniform(0.08, 0.92, 2) * SIZE + radius * outline @ turn


def _fill(points: np.ndarray) -> Mask:
    """Returns how much of each pixel the polygon covers, 0 to 1."""
    mask = np.zeros((SIZE, SIZE), np.uint8)
    cv2.fillPoly(mask, [np.rint(points * 16).astype(np.int32)], 255, cv2.LINE_AA, shift=4)
    return mask.astype(np.float32) / 255


def _paint(rng: Generator, image: Image, mask: Mask, number: int) -> Image:
    """Returns `image` with a striped object, more or less opaque, most often in the colour of class index `number`."""
    typical = number >= 0 and rng.random() < TYPICAL
    colour = COLOURS[number] + rng.normal(scale=30, size=3) if typical else rng.uniform(0, 255, 3)
    wave = rng.uniform(-0.8, 0.8, 2) @ np.indices((SIZE, SIZE)).reshape(2, -1)
    stripes = rng.uniform(0, 25) * np.sign(np.sin(wave)).reshape(SIZE, SIZE, 1)
    filled = np.clip(colour + stripes, 0, 255).astype(np.float32)
    return image + (filled - image) * mask[..., None] * np.float32(rng.uniform(0.35, 1))


def _finish(rng: Generator, image: Image) -> np.ndarray:
    """Returns the photograph of a drawing: blurred at times, always noisy. uint8."""
    if rng.random() < 0.4:
        width = int(rng.choice([3, 5]))
        image = cv2.GaussianBlur(np.rint(image).astype(np.uint8), (width, width), 0).astype(np.float32)
    noise = rng.normal(scale=rng.uniform(2, 10), size=image.shape)
    return np.clip(np.rint(image + noise), 0, 255).astype(np.uint8)


def _draw(rng: Generator, classes: list[int]) -> tuple[np.ndarray, Labels]:
    """Returns an image (uint8) with one object per entry of `classes`, and the labels of those that can be seen."""
    image = _backdrop(rng)
    shapes = [(number, OUTLINES[number]) for number in classes]
    shapes += [(-1, DISTRACTORS[i]) for i in rng.integers(0, len(DISTRACTORS), rng.integers(0, 3))]
    visible: list[tuple[int, float, Mask]] = []  # class index, whole area in pixels, visible pixels
    for i in rng.permutation(len(shapes)):  # later ones cover earlier ones
        number, outline = shapes[i]
        points = _place(rng, outline)
        mask = _fill(points)
        image = _paint(rng, image, mask, number)
        visible = [(n, area, seen & (mask <= 0.5)) for n, area, seen in visible]
        visible.append((number, cv2.contourArea(points.astype(np.float32)), mask > 0.5))
    labels = [(n, seen) for n, area, seen in visible if n >= 0 and seen.sum() >= LEAST_VISIBLE * area]
    return _finish(rng, image), labels


def _scene(rng: Generator) -> tuple[np.ndarray, Labels]:
    """Returns an image with one to six objects, or now and then with none, and their labels."""
    number = 0 if rng.random() < 0.06 else int(rng.integers(1, 7))
    return _draw(rng, rng.integers(0, len(CLASSES), number).tolist())


def _crop(rng: Generator, number: int) -> np.ndarray:
    """Returns a cut-out around one object of class index `number`, with a margin."""
    labels: Labels = []
    while not labels:  # a distractor may hide the object
        image, labels = _draw(rng, [number])
    x, y, width, height = cv2.boundingRect(labels[0][1].astype(np.uint8))
    margin = int(rng.uniform(0.1, 0.35) * max(width, height)) + 2
    return image[max(y - margin, 0) : y + height + margin, max(x - margin, 0) : x + width + margin]


# Labels -------------------------------------------------------------------------------------------------------------


def _box(mask: Mask) -> list[float]:
    """Returns the box around the visible pixels: centre x, centre y, width, height, as fractions of the image."""
    x, y, width, height = cv2.boundingRect(mask.astype(np.uint8))
    return [(x + width / 2) / SIZE, (y + height / 2) / SIZE, width / SIZE, height / SIZE]


def _polygon(mask: Mask) -> list[float]:
    """Returns the contour of the largest visible piece: x, y, x, y ... as fractions of the image."""
    fine = 4  # contours run through pixel centres; finer pixels take them close to the edge
    large = cv2.resize(mask.astype(np.uint8), None, fx=fine, fy=fine, interpolation=cv2.INTER_NEAREST)
    contours, _ = cv2.findContours(large, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    contour = cv2.approxPolyDP(max(contours, key=cv2.contourArea), 0.5 * fine, closed=True)
    return ((contour.reshape(-1) + 0.5) / (fine * SIZE)).tolist()


# Files --------------------------------------------------------------------------------------------------------------


def _save(file: Path, content: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)


def _jpeg(image: np.ndarray) -> bytes:
    return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes()


def _write_one(folder: Path, task: str, split: str, index: int) -> None:
    """Draws image `index` of `split` and writes it with its label, in the layout that Ultralytics expects for `task`."""
    rng = np.random.default_rng([SEED, list(COUNTS).index(split), index])
    if task == "classify":
        number = index % len(CLASSES)
        return _save(folder / split / CLASSES[number] / f"{index:04d}.jpg", _jpeg(_crop(rng, number)))
    image, labels = _scene(rng)
    shape = _polygon if task == "segment" else _box
    rows = [" ".join([str(number), *(f"{value:.5f}" for value in shape(seen))]) for number, seen in labels]
    _save(folder / "images" / split / f"{index:04d}.jpg", _jpeg(image))
    return _save(folder / "labels" / split / f"{index:04d}.txt", "".join(f"{row}\n" for row in rows).encode())


def _header(task: str) -> dict[str, object]:
    """Returns what a set must say of itself to be taken for this version's."""
    return {"generator": "yolo_attn.data.shapes", "format": FORMAT, "task": task, "seed": SEED, "counts": COUNTS}


def _write(folder: Path, task: str, name: str) -> None:
    """Draws the whole set into `folder`; the manifest comes last."""
    from ultralytics.utils import TQDM

    todo = [(split, index) for split, count in COUNTS.items() for index in range(count)]
    for split, index in TQDM(todo, desc=f"Drawing the data set '{name}'"):
        _write_one(folder, task, split, index)
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    sizes = {file.relative_to(folder).as_posix(): file.stat().st_size for file in files}
    _save(folder / MANIFEST, json.dumps({**_header(task), "files": sizes}, indent=1).encode())


def _manifest(root: Path) -> dict[str, object] | None:
    """Returns the manifest of the set in `root`, or None where there is none of ours."""
    try:
        manifest = json.loads((root / MANIFEST).read_bytes())
    except (OSError, ValueError):
        return None
    return manifest if isinstance(manifest, dict) and manifest.get("generator") == _header("")["generator"] else None


def is_complete(root: str | Path, task: str) -> bool:
    """Returns whether `root` holds a set of this version for `task` with every file at its full size. Milliseconds."""
    root, manifest = Path(root), _manifest(Path(root))
    if manifest is None or {key: manifest.get(key) for key in _header(task)} != _header(task):
        return False
    try:
        return all((root / name).stat().st_size == size for name, size in dict(manifest["files"]).items())
    except OSError:
        return False


def _temporary(root: Path) -> Path:
    """Returns a fresh name beside `root` that tells who writes there."""
    return root.with_name(f".{root.name}.drawing-{os.getpid()}-{secrets.token_hex(4)}-{platform.node()}")


def _is_abandoned(folder: Path) -> bool:
    """Returns whether the writer of a temporary folder is gone: asked on this machine, elsewhere judged by age."""
    pid, _, node = folder.name.partition(".drawing-")[2].split("-", 2)
    if os.name == "posix" and node == platform.node():
        try:
            os.kill(int(pid), 0)  # signal 0 only asks whether the process is there
        except ProcessLookupError:
            return True
        except PermissionError:
            return False
    return time.time() - folder.stat().st_mtime > STALE_AFTER


def _make_way(root: Path) -> None:
    """Clears what stands where the set belongs, if it is ours or empty; leaves what is not ours, with an error."""
    from yolo_attn.errors import AttentionError

    for folder in root.parent.glob(f".{glob.escape(root.name)}.drawing-*-*-*"):
        if _is_abandoned(folder):
            shutil.rmtree(folder, ignore_errors=True)
    if not root.exists():
        return
    if _manifest(root) is None and (not root.is_dir() or any(root.iterdir())):
        raise AttentionError(
            f"cannot draw the data set: {root} exists and has no {MANIFEST} that says it is ours; "
            f"remove or rename it, or choose another folder with: yolo settings datasets_dir=FOLDER"
        )
    aside = _temporary(root)
    with suppress(FileNotFoundError):  # another process was faster
        root.rename(aside)  # before deleting, so that a half-deleted set is never seen
    shutil.rmtree(aside, ignore_errors=True)


def generate(root: str | Path, task: str = "detect") -> Path:
    """Draws the set for `task` (detect, segment or classify) into the folder `root`, unless it is there and whole.

    Returns:
        The folder's absolute path.

    Raises:
        AttentionError: `root` holds something else, or cannot be written.
    """
    from yolo_attn.errors import AttentionError

    root = Path(root).resolve()
    if task not in SETS.values():
        raise AttentionError(f"no data set for the task {task!r}; the tasks are: {', '.join(SETS.values())}")
    if is_complete(root, task):
        return root
    folder = _temporary(root)
    try:
        root.parent.mkdir(parents=True, exist_ok=True)
        _make_way(root)
        _write(folder, task, root.name)
        folder.rename(root)  # fails where another process was faster
    except OSError as error:
        if not is_complete(root, task):
            raise AttentionError(
                f"cannot write the data set {root.name!r} in {root.parent} ({error.strerror}); "
                f"choose another folder with: yolo settings datasets_dir=FOLDER"
            ) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return root
