"""Names of models that need no file: `yolo26s-eca-head` is YOLO26s with ECA before its head.

    BASE - OPERATOR [.OPTION …] [- PLACE …] [- OPERATOR [.OPTION …] [- PLACE …] …]

BASE is any model YAML that Ultralytics finds, with its scale letter and its task. An operator's options stand behind
points (`yolo_attn.surgery.words`): `cbam.r8`. The places are those of `yolo_attn.surgery.places`, written with `-`:
`P5`, `neck`, `neck-P3-P4`, `in-backbone`, `after-9`, `instead-c2psa`; their numbers are the base's rows, whatever
stands in front. Without a place it is `backbone`. `_` may stand for `-`, and case does not matter: `yolov8n_CBAM`.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from yolo_attn import registry
from yolo_attn.errors import AttentionError
from yolo_attn.nn import own
from yolo_attn.surgery import words as operator_words
from yolo_attn.surgery.places import PARTS, PLACES, meant

DEFAULT_PLACE = "backbone"
PLACE = re.compile(rf"{'|'.join(PLACES)}|P\d|\d+", re.IGNORECASE)  # a word of a place
IsBase = Callable[[str], bool]  # tells whether a stem names a base model


class Name(NamedTuple):
    """What a name says: the base's stem, and each operator, with its options as `CBAM.r8`, and its places."""

    base: str
    attention: list[tuple[str, list[str]]]

    @property
    def stem(self) -> str:
        """The name as it is usually written."""
        return "-".join([self.base, *(write("", *group)[1:] for group in self.attention)])


def read(stem: str, is_base: IsBase) -> Name | None:
    """Returns what the file name `stem` says, or None if it names no attention.

    Args:
        stem: The file's name without its suffix.
        is_base: Tells whether a stem names a base model.

    Raises:
        AttentionError: It names a base and nearly an operator, one that is not here, or an operator and an unknown
            place, or its words stand in another order.
    """
    words = re.split("[-_]", stem)
    for i in range(1, len(words)):
        if _operator(words[i:]) and (base := _base(stem, i, is_base)):
            try:
                groups = _groups(words[i:])
                return Name(base, [(operator, read_places(places) or [DEFAULT_PLACE]) for operator, places in groups])
            except AttentionError as error:
                raise _no_model(stem, _in_order(words, is_base) or f": {error}") from None
    if right := _in_order(words, is_base):
        raise _no_model(stem, right)
    for i in range(len(words) - 1, 0, -1):
        if (hint := _hint(words[i:]) or own.failure()) and _base(stem, i, is_base):
            raise _no_model(stem, hint)
    return None


def read_places(words: list[str]) -> list[str]:
    """Returns the places that a name's words mean: `neck`, `P3`, `P4` are `neck-P3` and `neck-P4`.

    Raises:
        AttentionError: A word is no place.
    """
    places: list[str] = []
    inside, part = "", ""  # what the words before say about a level or a number
    for before, word in zip(["", *words], words, strict=False):
        lower = word.lower()
        if (inside and re.fullmatch(r"\d+", word)) or before.lower() == "instead":
            places.append(inside + word)
        elif lower in ("in", "after", "instead"):
            inside, part = f"{lower}:", ""
        elif re.fullmatch(r"p\d", lower):
            inside = inside if inside == "in:" else ""
            if part and places[-1] == inside + part:
                places.pop()  # the level says which of them
            places.append(f"{inside}{part}-{word.upper()}" if part else inside + word.upper())
        elif lower in (*PARTS, "stages", "sppf"):
            inside = inside if before.lower() == "in" else ""
            part = lower if lower in PARTS else ""
            places.append(inside + lower)
        else:
            hint = registry.not_here(word) or registry.did_you_mean(meant(word) or registry.misspelt(word))
            raise AttentionError(f"'{word}' is no place and no attention{hint}")
    if words and words[-1].lower() in ("in", "after", "instead"):
        raise AttentionError(f"'{words[-1]}' needs a place or a row behind it")
    return places


def write(base: str, attention: str, at: list[str], options: Mapping | None = None) -> str:
    """Returns the name's stem for one operator at some places: what `read` reads.

    Raises:
        AttentionError: There is no such operator or option, or an option's value cannot stand in a name.
    """
    places = [] if at == [DEFAULT_PLACE] else [place.replace(":", "-") for place in at]
    return "-".join([base, operator_words.write(attention, options).lower(), *places])


def _base(stem: str, words: int, is_base: IsBase) -> str:
    """Returns the base that the first `words` words of a stem name, as it is called; or nothing."""
    written = re.match(rf"[^-_]*([-_][^-_]*){{{words - 1}}}", stem)[0]  # type: ignore[index]
    hyphens = written.replace("_", "-")
    return next(filter(is_base, dict.fromkeys((written, hyphens, hyphens.lower()))), "")


def _operator(words: Sequence[str]) -> tuple[str, int] | None:
    """Returns the operator that `words` begin with, and how many of them it takes: `coord`, `att.r8` are two."""
    for count in range(len(words), 0, -1):
        word = "".join(words[:count])
        if registry.find(word.partition(".")[0]) and "." not in "".join(words[: count - 1]):
            return word, count
    return None


def _groups(words: Sequence[str]) -> list[tuple[str, list[str]]]:
    """Returns the operators among `words`, each with the words that follow it; the first word is one.

    Raises:
        AttentionError: An operator has no such option.
    """
    groups: list[tuple[str, list[str]]] = []
    while words:
        if found := _operator(words):
            groups.append((operator_words.write(found[0]), []))
        else:
            groups[-1][1].append(words[0])
        words = words[found[1] if found else 1 :]
    return groups


def _in_order(words: Sequence[str], is_base: IsBase) -> str:
    """Returns the name to write where words of the base stand among the others, as in yolov8-cbam-n; or nothing."""
    first = next((i for i in range(len(words)) if _operator(words[i:])), len(words))
    try:
        groups = _groups(words[first:])
    except AttentionError:
        return ""
    base = [*words[:first], *(word for _, places in groups for word in places if not PLACE.fullmatch(word))]
    letter = next((word for word in base[1:] if re.fullmatch("[nslmx]", word)), "")
    lettered = re.sub(r"\d(?=-|$)", rf"\g<0>{letter}", "-".join(word for word in base if word != letter), count=1)
    right = next(filter(is_base, ("-".join(base), lettered)), "")
    if not groups or not right:
        return ""
    try:
        places = [read_places([word for word in group if PLACE.fullmatch(word)]) for _, group in groups]
    except AttentionError:
        return ""
    attention = [(operator, at or [DEFAULT_PLACE]) for (operator, _), at in zip(groups, places, strict=True)]
    return f"; write {Name(right, attention).stem}.yaml"


def _hint(words: Sequence[str]) -> str:
    """Returns what to say where `words` begin with an operator that is not here, or with one that is misspelt."""
    for count in range(len(words), 0, -1):
        word = "".join(words[:count]).partition(".")[0]
        if said := registry.not_here(word):
            return said
        if meant := registry.misspelt(word):
            return f": '{word}' is no attention{registry.did_you_mean(meant)}"
    return ""


def _no_model(stem: str, why: str) -> AttentionError:
    return AttentionError(
        f"'{stem}' names no model{why}; a name is BASE-OPERATOR or BASE-OPERATOR-PLACE, with "
        f"{', '.join(registry.names())} and {', '.join(PLACES[:-3])}, in-PLACE, after-ROW, instead-BLOCK"
    )
