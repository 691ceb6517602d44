"""The operators by name: collected from `yolo_attn.nn`, where each file says what its operator is."""

import difflib
import sys
from collections.abc import Iterable, Mapping

from yolo_attn import nn
from yolo_attn.errors import AttentionError
from yolo_attn.nn import Attention, AttentionInfo

OPERATORS: tuple[AttentionInfo, ...] = tuple(
    sys.modules[cls.__module__].INFO
    for cls in vars(nn).values()
    if isinstance(cls, type) and issubclass(cls, Attention) and cls is not Attention
)


def names() -> list[str]:
    """Returns the operators' names."""
    return [info.name for info in OPERATORS]


def find(name: object) -> AttentionInfo | None:
    """Returns the operator called `name`, or None. Case, `_`, `-`, a leading `yolo_attn.` or `nn.` do not matter."""
    return _by_key().get(_key(name)) if isinstance(name, str) else None


def get(name: str) -> AttentionInfo:
    """Returns the operator called `name`.

    Raises:
        AttentionError: No operator is called that; the message gives the nearest names.
    """
    info = find(name)
    if info is None:
        raise AttentionError(f"unknown attention '{name}'{did_you_mean(name)}; there are {', '.join(names())}")
    return info


def did_you_mean(name: str) -> str:
    """Returns `, did you mean 'CBAM'?` with the nearest operator's name, or nothing when none is near."""
    return nearest(name, {_key(alias): info.name for info in OPERATORS for alias in (info.name, *info.aliases)})


def nearest(word: str, known: Iterable[str]) -> str:
    """Returns `, did you mean 'neck'?`, the nearest of `known`, or nothing; a mapping says what to write for each."""
    says = known if isinstance(known, Mapping) else {_key(one): one for one in known}
    found = difflib.get_close_matches(_key(word), says, n=1, cutoff=0.6)
    return f", did you mean '{says[found[0]]}'?" if found else ""


def _key(name: str) -> str:
    return name.removeprefix("yolo_attn.").removeprefix("nn.").replace("_", "").replace("-", "").lower()


def _by_key() -> dict[str, AttentionInfo]:
    return {_key(name): info for info in OPERATORS for name in (info.name, *info.aliases)}
