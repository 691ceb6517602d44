"""An operator with its options in one word, as model names have it: `cbam.r8`, `gam.r16.g4`, `eca.identity`.

Behind each point stands an option, as much of its name as anybody likes, and its value; of several options that begin
alike the first is meant. `1` and `0` are true and false, and a bare name is true: `gam.depthwise`. `identity` and
`paper` are a start.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from yolo_attn import registry
from yolo_attn.errors import AttentionError
from yolo_attn.registry import AttentionInfo
from yolo_attn.surgery.rows import STARTS, is_number


def read(word: str) -> tuple[AttentionInfo, dict[str, object]]:
    """Returns the operator that a word names, and the options that it sets, `start` among them.

    Raises:
        AttentionError: There is no such operator or option, or one stands there twice.
    """
    name, *parts = _parts(word)
    info = registry.get(name)
    options: dict[str, object] = {}
    for part in parts:
        option, value = _option(info, part)
        if option in options:
            raise AttentionError(f"'{word}' says {option} twice; write one")
        options[option] = value
    return info, options


def write(attention: str, options: Mapping | None = None) -> str:
    """Returns the word for an operator with options: `CBAM.r8`, in the order in which the operator has them.

    Raises:
        AttentionError: As `read`, or a value cannot stand in a name.
    """
    info, said = read(attention)
    said = {**said, **(options or {})}
    order = [*info.options, "start"]
    return ".".join([info.name, *(_part(info, name, said[name]) for name in sorted(said, key=order.index))])


def _parts(word: str) -> list[str]:
    """Returns what stands between the points; one between two digits is a decimal point."""
    parts: list[str] = []
    for part in word.split("."):
        if parts and part.isdigit() and parts[-1][-1:].isdigit():
            parts[-1] += f".{part}"
        else:
            parts.append(part)
    return parts


def _option(info: AttentionInfo, part: str) -> tuple[str, object]:
    """Returns the option that a part of a word sets, and its value."""
    part = part.lower()
    if part in STARTS:
        return "start", part
    for option, default in info.options.items():
        key = option.replace("_", "").lower()
        for cut in range(len(key), 0, -1):
            if part.startswith(key[:cut]) and (value := _value(part[cut:], default)) is not None:
                return option, value
        if option in info.or_true and part == key:
            return option, True
    forms = ", ".join(
        f".{option.replace('_', '')}{_written(3 if default is None else default)}"
        for option, default in info.options.items()
    )
    raise AttentionError(
        f"'.{part}' is no option of {info.name}; in a name its options are {forms or 'none'}"
        f"{', each also shorter' if forms else ''}, and .{' and .'.join(STARTS)}"
    )


def _value(text: str, default: Any) -> object:
    """Returns the value that `text` writes for an option of the kind of `default`, or None."""
    if isinstance(default, bool):
        return {"": True, "1": True, "0": False, "true": True, "false": False}.get(text)
    if text.isdigit():
        return float(text) if isinstance(default, float) else int(text)
    whole, _, fraction = text.partition(".")
    return float(text) if isinstance(default, float) and whole.isdigit() and fraction.isdigit() else None


def _written(value: Any) -> str:
    return str(int(value)) if value == int(value) else format(Decimal(repr(value)), "f")


def _part(info: AttentionInfo, name: str, value: object) -> str:
    """Returns the shortest part of a word that sets an option."""
    if name == "start":
        return str(value)
    key = name.replace("_", "").lower()
    if name in info.or_true and value is True:
        return key
    written = _written(value) if isinstance(value, bool) or is_number(value) else ""
    for cut in range(1, len(key) + 1):
        try:
            if written and _option(info, part := key[:cut] + written) == (name, value):
                return part
        except AttentionError:
            continue
    raise AttentionError(f"{name}={value!r} of {info.name} cannot stand in a model's name: give the model a file")
