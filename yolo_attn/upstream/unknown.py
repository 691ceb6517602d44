"""What to say of a row's name that is a module of nobody's."""

from collections.abc import Mapping
from types import FunctionType

import torch
from ultralytics.nn import tasks

from yolo_attn import registry
from yolo_attn.errors import AttentionError
from yolo_attn.nn import own
from yolo_attn.surgery import hints
from yolo_attn.surgery.check import file, where
from yolo_attn.surgery.forms import PARTS
from yolo_attn.surgery.rows import BLOCKS, combination, is_attention
from yolo_attn.upstream.ownership import theirs

RESIDUAL = ("ResBlock", "ResidualBlock", "BasicBlock")  # of ResNet; people's copies differ in more than the attention


def refuse_unknown(d: Mapping) -> None:
    """Raises AttentionError where a row's module is unknown to Ultralytics and to us; the message gives the mend.

    A function of Ultralytics' parser, `torch_safe_load` for instance, is none either: what a file says is not called.
    """
    rows = [row for part in PARTS if isinstance(d.get(part), list) for row in d[part]]
    for i, row in enumerate(rows):
        if not isinstance(row, list) or len(row) < 3:
            continue
        if is_function(row[2]):
            raise AttentionError(f"{where(d, i)}: '{row[2]}' is a function of ultralytics and no module")
        if is_unknown(row[2]):
            raise AttentionError(f"{where(d, i)}: unknown module '{row[2]}'{hint(row[2], i, d)}{own.failure()}")


def is_unknown(name: object) -> bool:
    """Tells whether a row's name is no module of anybody's; what torch calls it Ultralytics itself finds out."""
    is_name = isinstance(name, str) and not name.startswith(("nn.", "torchvision.ops."))
    return is_name and theirs(name) is None and not is_attention(name)


def is_function(name: object) -> bool:
    """Tells whether a row's name is one of Ultralytics' functions; somebody else's may well make a module."""
    found = theirs(name)
    return isinstance(found, FunctionType) and found.__module__.partition(".")[0] == "ultralytics"


def hint(name: str, i: int, d: Mapping) -> str:
    """Returns what to write instead of an unknown name."""
    modules = sorted((key for key in vars(tasks) if is_module(key)), key=len, reverse=True)  # C2fCIB before C2f
    module, info, _ = combination(name, [*RESIDUAL, *modules]) or ("", None, False)
    if info is None:
        return (
            f"{hints.hint(name)}; "
            f"attention rows are {', '.join(registry.names())}, and inside {', '.join(BLOCKS)}: C3_CBAM and so on"
        )
    if module in RESIDUAL:
        return f": a block of ResNet, of which ultralytics has none; nearest is Bottleneck_{info.name}"
    command = f"yolo-attn add {file(d)} {info.name.lower()} at=after:{i}"
    inside = f", or {module}_{info.name} for {info.name} inside it" if module in BLOCKS else ""
    return (
        f": people's copies put {info.name} at different places of {module}; "
        f"write {module} and put {info.name} behind it with '{command}'{inside}"
    )


def is_module(name: str) -> bool:
    """Tells whether a row's name is a module that Ultralytics' parser knows."""
    found = theirs(name)
    return isinstance(found, type) and issubclass(found, torch.nn.Module)
