"""Attention put into whole models: from a YAML's name to a model dict, and from a model's name to its YAML text."""

from collections.abc import Sequence
from pathlib import Path

from ultralytics.utils import LOGGER

from yolo_attn import registry
from yolo_attn.errors import AttentionError
from yolo_attn.export.staging import beside
from yolo_attn.surgery import names, recipe
from yolo_attn.surgery.check import file
from yolo_attn.surgery.yaml_text import render
from yolo_attn.upstream import layout, oversights
from yolo_attn.upstream.compose import compose

PLACE_TEXTS = {
    "backbone": "after the P3, P4 and P5 stages of the backbone",
    "head": "before each input of the detection head",
}


def insert(model: str | Path | dict, attention: str, at: str | Sequence[str] = names.DEFAULT_PLACE, **options) -> dict:
    """Returns the model dict of `model` with attention put in.

    Args:
        model: A YAML's name or path, or a model dict, which is not changed.
        attention: The operator's name, with options in one word as in model names, `cbam.r8`, or without.
        at: One place or several: `yolo_attn.surgery.places`. Numbers are rows of `model`, its attention counted.
        options: The operator's options, and `start`: `identity` or `paper`.

    Raises:
        AttentionError: The operator, an option or a place is unknown, or the model has no such place.
    """
    loaded = layout.load(model)
    inserted = recipe.insert(loaded, attention, at, layout.layers(loaded), options)
    if recipe.replaced(inserted):  # a block may keep the channels at one scale and change them at another
        for scale in loaded.get("scales") or ():
            scaled = {**loaded, "scale": scale}
            try:
                recipe.insert(scaled, attention, at, layout.layers(scaled), options)
            except AttentionError as error:
                raise AttentionError(f"at scale {scale} {error}") from None
    return inserted


def remove(model: str | Path | dict) -> dict:
    """Returns the model dict of `model` without any attention of this package: the base it was made from.

    A block that attention stands instead of cannot be brought back; a warning says which.
    """
    removed, lost = without_attention(model)
    for line in lost:
        LOGGER.warning(f"yolo_attn: {line}")
    return removed


def without_attention(model: str | Path | dict) -> tuple[dict, list[str]]:
    """Returns what `remove` does, and a line for each block that cannot be brought back."""
    loaded = layout.load(model)
    lost = [
        f"{file(loaded)}, row {i} {recipe.all_rows(loaded)[i][2]} stands instead of {block}, which cannot be brought "
        "back: there is nothing in its place"
        for i, block in recipe.replaced(loaded).items()
    ]
    return recipe.remove(loaded), lost


def fix(model: str | Path | dict) -> tuple[dict, list[str]]:
    """Returns the model dict of `model` with its rows read as was probably meant, and what was changed.

    Numbers that were not shifted when attention was put in by hand are, and attention that nobody reads is read by
    whatever reads the row before it.

    Args:
        model: A YAML's name or path, or a model dict, which is not changed.

    Returns:
        The model dict, and a line for each row that reads others now and for each finding that is left to its author;
        no line where nothing is wrong.
    """
    return oversights.fix(layout.load(model))


def text(model: dict, stem: str, source: str) -> str:
    """Returns the YAML text of a model dict.

    Args:
        model: The model dict.
        stem: The stem of the file it is for. Where it names no scale, the model's own comes first, as the default.
        source: What the heading says it was made from.
    """
    scale = model.get("scale")
    if scale in model.get("scales", {}) and layout.scale_of(stem) != scale:
        model = {**model, "scales": {scale: model["scales"][scale], **model["scales"]}}
    return render(model, layout.layers(model), f"{source}\n\n    yolo train model={stem}.yaml data=shapes.yaml")


def save(model: dict, file: str, source: str, exist_ok: bool = False) -> str:
    """Writes a model dict into a YAML file and returns how to go on; without a file, returns its text.

    Raises:
        AttentionError: The file has another ending, or is there already and `exist_ok` is not set.
    """
    path = Path(file or "my.yaml")
    if path.suffix not in (".yaml", ".yml"):
        raise AttentionError(f"'{file}' is no name for a model: write -o {path.stem or 'my'}.yaml")
    rendered = text(model, path.stem, source)
    if not file:
        return rendered
    with beside(path, exist_ok) as folder:
        made = folder / path.name
        made.write_text(rendered, encoding="utf-8")
        made.replace(path)
    return f"{path} is {source}. Look at it: yolo-attn show {path}   Train it: yolo train model={path} data=...\n"


def packaged_text(base: str, title: str, attention: str, at: str) -> str:
    """Returns the text of a YAML that this package ships."""
    file = f"{names.write(base, attention, [at])}.yaml"
    model = compose(names.Name(base, [(attention, [at])]))
    heading = (
        f"{title} with {attention} {PLACE_TEXTS[at]}. AGPL-3.0\n"
        f"Rendered by `python -m yolo_attn.models` from Ultralytics' {base}.yaml.\n\n"
        f"    yolo train model={file.replace(base, base + 'n', 1)} data=shapes.yaml\n\n"
        f"The letter after {base} picks the scale. Options go into a row's last brackets: "
        f"[-1, 1, {attention}, [{{{next(iter(registry.get(attention).options))}: …}}]]"
    )
    return render(model, layout.layers(model), heading)
