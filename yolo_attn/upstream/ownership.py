"""Whose module a row's name means: what somebody else registered under a name is theirs, whatever it is called.

Ultralytics looks a row's name up among the globals of `ultralytics.nn.tasks`. People register their own operators
there, and forks import theirs, under the names that ours have too. A dotted name, `yolo_attn.CBAM`, is always ours.
"""

from collections.abc import Mapping

import torch
from ultralytics.nn import tasks

from yolo_attn.surgery.forms import PARTS
from yolo_attn.surgery.rows import is_attention

PREFIX = "yolo_attn."  # no row of anybody else can have such a name


def theirs(name: object) -> object | None:
    """Returns what a row's name means to somebody else, Ultralytics and torch among them; None where it is nobody's."""
    if not isinstance(name, str) or name.startswith(PREFIX):
        return None
    return getattr(torch.nn, name.removeprefix("nn."), None) if name.startswith("nn.") else getattr(tasks, name, None)


def is_ours(name: object) -> bool:
    """Tells whether a row's name is an operator of this package's, or a block with one inside, and nobody else's."""
    return is_attention(name) and theirs(name) is None


def has_ours(model: Mapping) -> bool:
    """Tells whether a model dict has a row of ours, or what its author may have meant as one."""
    return any(map(is_ours, _names(model)))


def lines(model: Mapping) -> list[str]:
    """Returns, for each name in a model dict that could be ours and is somebody else's, whose it is."""
    found = {name: theirs(name) for name in _names(model) if is_attention(name) and theirs(name) is not None}
    return [
        f"yolo_attn: {name} is {getattr(module, '__module__', '')}.{getattr(module, '__qualname__', name)}, which is "
        f"registered in ultralytics.nn.tasks, and not this package's; that one is {PREFIX}{name}"
        for name, module in found.items()
    ]


def _names(model: Mapping) -> list[str]:
    """Returns the words that stand in the rows of a model dict, whatever else is wrong with it."""
    parts = [model.get(part) for part in PARTS] if isinstance(model, Mapping) else []
    rows = [row for part in parts if isinstance(part, list) for row in part]
    return [value for row in rows if isinstance(row, list) for value in row if isinstance(value, str)]
