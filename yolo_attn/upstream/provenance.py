"""Of which family and scale a model is, and which file is right for a source of another: yolo26s-my.yaml."""

import contextlib
import re
from pathlib import Path
from typing import Any, NamedTuple

from yolo_attn import registry
from yolo_attn.errors import AttentionError
from yolo_attn.surgery.rows import split_block
from yolo_attn.upstream import compose, layout

BASE = re.compile(r"yolo(?:e-)?v?\d+|rtdetr")  # in a file's name; a scale letter follows


class Provenance(NamedTuple):
    """What a model's rows and their file say; empty where they say nothing."""

    family: str
    scale: str
    file: Path
    scales: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.family}{self.scale}" if self.family else f"of scale {self.scale}"


def provenance(model: Any) -> Provenance:
    rows = getattr(model, "yaml", None) or {}
    file = Path(rows.get("yaml_file") or "")
    scales = tuple(rows.get("scales") or ())
    family = BASE.search(file.stem)
    # Without a letter in the file's name, Ultralytics takes the first scale.
    return Provenance(family[0] if family else "", rows.get("scale") or next(iter(scales), ""), file, scales)


def of_one_width(model: Any, source: Any) -> bool:
    """Tells whether two models are not known to be of different scales."""
    mine, theirs = provenance(model), provenance(source)
    return not (mine.scale and theirs.scale) or mine.scale == theirs.scale


def misfit(model: Any, source: Any) -> str:
    """Returns what keeps most of a source's tensors from fitting: another family or scale, and the file that fits."""
    mine, theirs = provenance(model), provenance(source)
    of_one_family = not (mine.family and theirs.family) or mine.family == theirs.family
    if of_one_family and of_one_width(model, source):
        return ""
    text = f"the source is {theirs}, and {mine.file.name or 'this model'} was built as {mine}"
    return f"{text}; {mend}" if (mend := fitting(mine, theirs, of_one_family)) else text


def fitting(mine: Provenance, theirs: Provenance, of_one_family: bool) -> str:
    """Returns which file to load the source into instead, or "" where there is none."""
    if not mine.file.name or not theirs.family:
        return ""
    base = re.compile(f"(?:{BASE.pattern})[nslmx]?")
    stem = base.sub(str(theirs), mine.file.stem, count=1) if mine.family else f"{theirs}-{mine.file.stem}"
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
    return any(isinstance(name, str) and (registry.find(name) or split_block(name)) for name in names)
