"""What `yolo-attn check` was asked about: an operator's name, or the operators of a file or of a module."""

import importlib
import importlib.util
import os
from collections.abc import Mapping
from pathlib import Path

from yolo_attn import registry
from yolo_attn.contract.case import Case
from yolo_attn.errors import AttentionError
from yolo_attn.nn import own, sources
from yolo_attn.surgery import words
from yolo_attn.surgery.rows import check_options


def cases(attention: str, channels: int, options: Mapping[str, object]) -> list[Case]:
    """Returns a case for each operator that `attention` names; one of a file or a module is registered by that.

    Raises:
        AttentionError: There is none, its class can be none, or it has no such option.
    """
    found = []
    for info, said in _named(attention):
        values = {**said, **options}
        check_options(info, values)
        found.append(Case(info, values, channels))
    return found


def _named(attention: str) -> list[tuple[registry.AttentionInfo, dict[str, object]]]:
    if attention.endswith(".py") or os.sep in attention:
        if not Path(attention).expanduser().is_file():
            raise AttentionError(f"there is no file {attention}")
    elif registry.find(attention.partition(".")[0]) or not _is_module(attention):
        info, said = words.read(attention)
        return [(info, said)]
    importlib.import_module("ultralytics.models")  # once that is there, a name of its modules is refused
    return [(own.register(cls), {}) for cls in sources.load(attention)]


def _is_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False
