"""Seam: `model=yolo26s-eca-head.yaml` works without a file; a file of that name comes first.

Ultralytics' `yaml_model_load` looks for the file. Where there is none and the name is a base model's with attention
(`yolo_attn.surgery.names`), the model dict is composed.
"""

import contextlib
import functools
from pathlib import Path

from ultralytics.nn import tasks
from ultralytics.utils import LOGGER

from yolo_attn.errors import AttentionError, brief
from yolo_attn.surgery import names, recipe
from yolo_attn.surgery.check import check_rows, prepared
from yolo_attn.upstream import layout
from yolo_attn.upstream.ownership import has_ours
from yolo_attn.upstream.rebind import rebind

_original = tasks.yaml_model_load
_told: set[str] = set()


@functools.wraps(_original)
def yaml_model_load(path):
    try:
        return readable(read_file(path))
    except FileNotFoundError:
        name = read(path)
        if name is None:
            raise
    if Path(path).stem != name.stem:
        with contextlib.suppress(FileNotFoundError):
            return readable(read_file(f"{name.stem}.yaml"))  # there is a file of that name, written another way
    model = compose(name)
    model["yaml_file"] = str(path)  # as Ultralytics writes it; errors about a row name it
    _tell(Path(path), name)
    return model


def read_file(path: str | Path) -> dict:
    """Returns what stands in a file.

    Raises:
        AttentionError: It is no YAML, or no mapping.
        FileNotFoundError: There is none.
    """
    try:
        return _original(path)
    except OSError:
        raise
    except Exception as error:  # another in each release
        wanted = "a model YAML has nc, and backbone and head with their rows"
        raise AttentionError(f"'{path}' cannot be read ({brief(error)}); {wanted}") from error


def readable(model: dict) -> dict:
    """Returns a file's model dict; one with attention in the form that is built, with what was left out said once.

    Raises:
        AttentionError: It can be no model; the message names file, row and mend.
    """
    if not has_ours(model):
        check_rows(model)
        return model
    model, lines = prepared(model)
    for line in lines:
        if line not in _told:
            _told.add(line)
            LOGGER.info(line)
    return model


def compose(name: names.Name) -> dict:
    """Returns the model dict that a name means.

    Raises:
        AttentionError: The base has no such place.
    """
    model = layout.load(f"{name.base}.yaml")
    return recipe.insert_all(model, name.attention, layout.layers(model))


def read(path: str | Path) -> names.Name | None:
    """Returns what the name of a model YAML says, or None if it names no attention or a folder other than `models`.

    Raises:
        AttentionError: It names a base, and attention or a place that does not exist.
    """
    path = Path(path)
    if path.suffix not in (".yaml", ".yml") or str(path.parent) not in (".", "models"):
        return None
    return names.read(path.stem, is_base)


def is_base(stem: str) -> bool:
    """Tells whether Ultralytics finds a model YAML of this stem."""
    try:
        return {"backbone", "head"} <= _original(f"{stem}.yaml").keys()
    except Exception:
        return False


def _tell(path: Path, name: names.Name) -> None:
    """Says once what was composed, and how to save it."""
    if path.stem in _told:
        return
    _told.add(path.stem)
    what = " and ".join(f"{operator} at {', '.join(at)}" for operator, at in name.attention)
    if len(name.attention) > 1:
        save = f"yolo-attn fix {path.name} -o {path.name}"  # which has nothing to mend, and writes the file
    else:
        operator, at = name.attention[0]
        save = f"yolo-attn add {name.base}.yaml {operator.lower()} at={','.join(at)} -o {path.name}"
    LOGGER.info(f"yolo_attn: composed {path.name} = {name.base}.yaml with {what}; to save it: {save}")


def install() -> None:
    """Lets Ultralytics compose models by name."""
    rebind(_original, yaml_model_load)


def uninstall() -> None:
    """Puts Ultralytics' own `yaml_model_load` back."""
    rebind(yaml_model_load, _original)


def canary() -> None:
    """Loads a model by a name that has no file, and a base.

    Raises:
        AttentionError: The name is not composed, or the base is changed.
    """
    name = read("yolov8n-eca-head-P5.yaml")
    if name != ("yolov8n", [("ECA", ["head-P5"])]) or tasks.yaml_model_load is not yaml_model_load:
        raise AttentionError("the model files of this ultralytics are found in another way than by yaml_model_load")
