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

from yolo_attn.data.drawing import CLASSES, Array, box, crop, draw, polygon

SETS = {"shapes": "detect", "shapes-seg": "segment", "shapes-cls": "classify"}  # folder and YAML -> task
COUNTS = {"train": 800, "val": 64}  # images; three epochs outlast the 100 iterations that Ultralytics warms up for
SEED = 0
FORMAT = 1  # raise it when anything drawn or written changes: sets of another format are drawn again
MANIFEST = "shapes.json"
EMPTY = 0.06  # of the images show background only
STALE_AFTER = 3600.0  # seconds after which the temporary folder of another machine is given up


def _jpeg(image: Array) -> bytes:
    return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes()


def _files(task: str, split: str, index: int) -> dict[str, bytes]:
    """Draws one image; returns its files, name -> content, in the layout that Ultralytics expects for `task`."""
    rng = np.random.default_rng([SEED, list(COUNTS).index(split), index])
    if task == "classify":
        number = index % len(CLASSES)
        return {f"{split}/{CLASSES[number]}/{index:04d}.jpg": _jpeg(crop(rng, number))}
    count = 0 if rng.random() < EMPTY else rng.integers(1, 7)
    image, labels = draw(rng, rng.integers(0, len(CLASSES), count).tolist())
    extent = polygon if task == "segment" else box
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
