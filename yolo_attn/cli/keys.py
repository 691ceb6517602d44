"""The typed keys of a command: a dataclass, each field `Annotated[type, help, least, most]`.

A field has a default unless the key must be given; a `dict` takes every other key. Words without `=` are the keys that
must be given, in their order; `-o FILE` is `o=FILE`.
"""

import dataclasses
import difflib
import types
import typing
from collections.abc import Iterable
from typing import Any, NamedTuple

from yolo_attn.errors import AttentionError


class Key(NamedTuple):
    """One key of a command, as its options' dataclass describes it."""

    name: str
    type: Any
    default: Any
    help: str
    bounds: tuple[float, ...]

    @property
    def required(self) -> bool:
        return self.default is dataclasses.MISSING and not self.takes_the_rest

    @property
    def takes_the_rest(self) -> bool:
        return typing.get_origin(self.type) is dict

    @property
    def kind(self) -> str:
        """The type in words."""
        what = {int: "a whole number", float: "a number", bool: "True or False", list[int]: "whole numbers"}
        said = what.get(self.type, "key=value ..." if self.takes_the_rest else "text")
        return f"{said} from {self.bounds[0]} to {self.bounds[1]}" if self.bounds else said

    def read(self, text: str) -> Any:
        """Returns the value that `text` says.

        Raises:
            AttentionError: It is of another type, or out of bounds.
        """
        try:
            if self.type is bool:
                return {"true": True, "false": False}[text.lower()]
            if self.type == list[int]:
                return [self._number(int, part) for part in text.strip("[]").split(",")]
            return self._number(self.type, text) if self.type in (int, float) else text
        except (KeyError, ValueError):
            raise AttentionError(f"{self.name} must be {self.kind}, got '{text}'") from None

    def _number(self, kind: type, text: str) -> float:
        least, most = self.bounds
        if not least <= (number := kind(text)) <= most:
            raise ValueError
        return number


def keys_of(options: type) -> list[Key]:
    """Returns the keys that an options' dataclass describes."""
    hints, found = typing.get_type_hints(options, include_extras=True), []
    for field in dataclasses.fields(options):
        kind, help, *bounds = typing.get_args(hints[field.name])
        if isinstance(kind, types.UnionType):  # `int | None`: nothing typed is None
            kind = next(one for one in typing.get_args(kind) if one is not type(None))
        found.append(Key(field.name, kind, field.default, help, tuple(bounds)))
    return found


def read_options(command: str, options: type, words: list[str]) -> Any:
    """Returns the dataclass `options` of what the words of a command say. Leading dashes do not matter, as with `yolo`.

    Raises:
        AttentionError: A key is unknown, missing or there twice, or a value does not fit.
    """
    rest = next((key for key in keys_of(options) if key.takes_the_rest), None)
    known = {key.name: key for key in keys_of(options) if key is not rest}
    required = [key for key in known.values() if key.required]
    said: dict[str, str] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals and key not in known:
            unsaid = [one.name for one in known.values() if one.name not in said]
            if any(one.name not in said for one in required):
                key, equals, value = unsaid[0], "=", word
            elif unsaid and not difflib.get_close_matches(key, known, n=1):
                raise AttentionError(f"'yolo-attn {command}' needs a key for '{word}': write {unsaid[0]}={word}")
        if key not in known and rest is None:
            raise AttentionError(f"'yolo-attn {command}' has no key '{key}'{choices(key, known)}")
        if not equals or not value:
            raise AttentionError(f"'yolo-attn {command}' needs a value for '{key}': write {key}=...")
        if key in said:
            raise AttentionError(f"'yolo-attn {command}' has {key}= twice, '{said[key]}' and '{value}': write one")
        said[key] = value
    if missing := [key.name for key in required if key.name not in said]:
        raise AttentionError(f"'yolo-attn {command}' also needs {', '.join(f'{name}=...' for name in missing)}")
    values = {name: known[name].read(text) for name, text in said.items() if name in known}
    others = {name: text for name, text in said.items() if name not in known}
    return options(**values, **({rest.name: others} if rest else {}))


def choices(name: str, known: Iterable[str]) -> str:
    """Returns `, did you mean 'model'?; it takes model, imgsz`, for an error line."""
    known = list(known)
    nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f", did you mean '{nearest[0]}'?" if nearest else ""
    return f"{hint}; it takes {', '.join(known)}" if known else f"{hint}; it takes none"
