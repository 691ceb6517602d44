"""Names of models that need no file: `yolo26s-eca-head` is YOLO26s with ECA before its head.

    BASE - OPERATOR [- PLACE …] [- OPERATOR [- PLACE …] …]

BASE is any model YAML that Ultralytics finds, with its scale letter and its task. The places are those of
`yolo_attn.surgery.places`, written with `-`: `P5`, `neck`, `neck-P3-P4`, `in-backbone`, `after-9`. Without a place
it is `backbone`.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

from yolo_attn import registry
from yolo_attn.errors import AttentionError
from yolo_attn.surgery.places import PARTS, PLACES

DEFAULT_PLACE = "backbone"


class Name(NamedTuple):
    """What a name says: the base's stem, and each operator with its places."""

    base: str
    attention: list[tuple[str, list[str]]]


def read(stem: str, is_base: Callable[[str], bool]) -> Name | None:
    """Returns what the file name `stem` says, or None if it names no attention.

    Args:
        stem: The file's name without its suffix.
        is_base: Tells whether a stem names a base model.

    Raises:
        AttentionError: It names a base and nearly an operator, or an operator and an unknown place.
    """
    parts = stem.split("-")
    first = next((i for i in range(1, len(parts)) if registry.find(parts[i])), None)
    if first is None:
        for i in range(len(parts) - 1, 0, -1):
            hint = registry.did_you_mean(parts[i])
            if hint and is_base("-".join(parts[:i])):
                raise AttentionError(f"'{stem}' names no model: '{parts[i]}' is no attention{hint}; {_grammar()}")
        return None
    base = "-".join(parts[:first])
    if not is_base(base):
        return None
    groups: list[tuple[str, list[str]]] = []
    for part in parts[first:]:
        if info := registry.find(part):
            groups.append((info.name, []))
        else:
            groups[-1][1].append(part)
    try:
        return Name(base, [(operator, read_places(words) or [DEFAULT_PLACE]) for operator, words in groups])
    except AttentionError as error:
        raise AttentionError(f"'{stem}' names no model: {error}; {_grammar()}") from None


def read_places(words: list[str]) -> list[str]:
    """Returns the places that a name's words mean: `neck`, `P3`, `P4` are `neck-P3` and `neck-P4`.

    Raises:
        AttentionError: A word is no place.
    """
    places: list[str] = []
    inside, part = "", ""  # what the words before say about a level or a number
    for before, word in zip(["", *words], words, strict=False):
        lower = word.lower()
        if inside and re.fullmatch(r"\d+", word):
            places.append(inside + word)
        elif lower in ("in", "after"):
            inside, part = f"{lower}:", ""
        elif re.fullmatch(r"p\d", lower):
            inside = "" if inside == "after:" else inside
            if part and places[-1] == inside + part:
                places.pop()  # the level says which of them
            places.append(f"{inside}{part}-{word.upper()}" if part else inside + word.upper())
        elif lower in (*PARTS, "stages", "sppf"):
            inside = inside if before.lower() == "in" else ""
            part = lower if lower in PARTS else ""
            places.append(inside + lower)
        else:
            hint = registry.nearest(word, PLACES) or registry.did_you_mean(word)
            raise AttentionError(f"'{word}' is no place and no attention{hint}")
    if words and words[-1].lower() in ("in", "after"):
        raise AttentionError(f"'{words[-1]}' needs a place or a row behind it")
    return places


def write(base: str, attention: str, at: list[str]) -> str:
    """Returns the name's stem for one operator at some places: what `read` reads."""
    places = [] if at == [DEFAULT_PLACE] else [place.replace(":", "-") for place in at]
    return "-".join([base, attention.lower(), *places])


def _grammar() -> str:
    return (
        f"a name is BASE-OPERATOR or BASE-OPERATOR-PLACE, with {', '.join(registry.names())} "
        f"and {', '.join(PLACES[:-2])}, in-PLACE, after-ROW"
    )
