"""Of which family and scale a model is, and which file is right for a source of another: yolo26s-my.yaml."""

import contextlib
import re
from pathlib import Path
from typing import Any, NamedTuple

from yolo_attn.errors import AttentionError
from yolo_attn.surgery.rows import is_attention
from yolo_attn.upstream import compose, layout

BASE = re.compile(r"(yolo(?:e-)?v?\d+|rtdetr)([nslmx]?)")  # in a file's name: the family and the scale's letter


class Provenance(NamedTuple):
    """What a model's rows and the name of its file say; empty where they say nothing."""

    family: str
    scale: str
    width: float | None
    file: Path

    def __str__(self) -> str:
        if self.family:
            return f"{self.family}{self.scale}"
        return f"of scale {self.scale}" if self.scale else f"of width {self.width}"


def provenance(model: Any, *files: str | None) -> Provenance:
    """Returns of which family, scale and width a model is.

    Args:
        model: The model.
        files: Further files that it comes from, for where its rows do not say one.
    """
    rows = getattr(model, "yaml", None) or {}
    file = Path(rows.get("yaml_file") or "")
    names = [found for name in (file, *files) if name and (found := BASE.search(Path(name).stem))]
    family, letter = names[0].groups() if names else ("", "")
    scales = rows.get("scales") or {}
    # Without a letter in the file's name, Ultralytics takes the first scale.
    scale = rows.get("scale") or next(iter(scales), letter)
    return Provenance(family, scale, scales[scale][1] if scale in scales else rows.get("width_multiple"), file)


def of_one_width(model: Any, source: Any) -> bool:
    """Tells whether two models are not known to be of different widths."""
    widths = provenance(model).width, provenance(source).width
    return None in widths or widths[0] == widths[1]


def misfit(model: Any, source: Any) -> str:
    """Returns what keeps most of a source's tensors from fitting: another family or scale, and the file that fits."""
    mine, theirs = provenance(model), provenance(source, getattr(source, "pt_path", None))
    of_one_family = not (mine.family and theirs.family) or mine.family == theirs.family
    of_one_scale = not (mine.scale and theirs.scale) or mine.scale == theirs.scale
    if of_one_family and of_one_scale and of_one_width(model, source):
        return ""
    text = f"the source is {theirs}, and {mine.file.name or 'this model'} was built as {mine}"
    return f"{text}; {mend}" if (mend := fitting(mine, theirs, of_one_family)) else text


def fitting(mine: Provenance, theirs: Provenance, of_one_family: bool) -> str:
    """Returns which file to load the source into instead, or "" where there is none."""
    if not (mine.file.name and theirs.family and theirs.scale):
        return ""
    named = BASE.search(mine.file.stem)
    stem = BASE.sub(str(theirs), mine.file.stem, count=1) if named else f"{theirs}-{mine.file.stem}"
    file = mine.file.with_name(f"{stem}.yaml")
    if has_attention(file):
        return f"load it into {file.name}"
    return f"save the file as {file.name}" if of_one_family and has_attention(mine.file) else ""


def has_attention(file: Path) -> bool:
    """Tells whether there is a model YAML of this name, written or composed, and attention in it."""
    if not compose.is_base(str(file.with_suffix(""))):
        with contextlib.suppress(AttentionError):  # nearly the name of an operator
            return compose.read(file) is not None
        return False
    rows = layout.load(file)
    names = [row[2] for row in (*rows["backbone"], *rows["head"])]
    return any(map(is_attention, names))
