"""Seam: `model=yolov5s-gam.yaml` and `data=shapes.yaml` are found from any folder, after the user's own files."""

import os
from importlib.resources import files
from pathlib import Path

from ultralytics.utils import checks

from yolo_attn.errors import AttentionError
from yolo_attn.upstream.rebind import rebind

FOLDERS = {name: Path(str(files(f"yolo_attn.{name}"))) for name in ("models", "data")}
_original = checks.check_file


def check_file(file, *args, **kwargs):
    """Finds a file as Ultralytics does; a YAML of this package is found by its name, or as `models/…` or `data/…`."""
    if not os.path.exists(str(file)):  # noqa: PTH110  (Path.exists raises where a folder may not be read)
        return _original(packaged(file) or file, *args, **kwargs)
    return _original(file, *args, **kwargs)


def packaged(file: str | Path) -> str | None:
    """Returns the path of this package's YAML called `file`, or None."""
    *folder, name = Path(str(file).strip()).parts or ("",)
    if not name.endswith((".yaml", ".yml")) or len(folder) > 1:
        return None
    places = [FOLDERS[folder[0]]] if folder and folder[0] in FOLDERS else [] if folder else FOLDERS.values()
    return next((str(place / name) for place in places if (place / name).is_file()), None)


def is_packaged_data(file: str | Path) -> bool:
    """Tells whether a search for the data YAML `file` ends at this package's own."""
    found = packaged(file) if not os.path.exists(str(file)) else str(file)  # noqa: PTH110
    return found is not None and Path(found).resolve().parent == FOLDERS["data"].resolve()


def install() -> None:
    """Lets every search of Ultralytics find the packaged YAMLs."""
    rebind(_original, check_file)


def uninstall() -> None:
    """Puts the search back."""
    rebind(check_file, _original)


def canary() -> None:
    """Looks a packaged YAML up through Ultralytics' own function.

    Raises:
        AttentionError: It is not found.
    """
    expected = packaged("shapes.yaml")
    users = Path("shapes.yaml").exists()
    if expected is None or (not users and checks.check_yaml("shapes.yaml", hard=False) != expected):
        raise AttentionError("the file search of this ultralytics does not find shapes.yaml")
