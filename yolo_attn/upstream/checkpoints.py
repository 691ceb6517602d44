"""Seam: checkpoints with attention load under `ULTRALYTICS_SAFE_LOAD=1` too, which admits known classes only."""

import io
from typing import Any

import torch

import yolo_attn.nn
from yolo_attn.errors import AttentionError
from yolo_attn.nn import ECA, own
from yolo_attn.nn.sumnorm import MapSize
from yolo_attn.upstream import blocks

FUNCTIONS = (own.restored, own.restored_form)  # what pickles of other people's operators call


def classes() -> list[type]:
    """Returns the classes that a checkpoint with attention may hold."""
    others = [cls for info in own.infos() for cls in own.classes_of(info)]
    inside = [blocks.AttentionBottleneck, blocks.AttentionConv, *blocks.REPLACED.values()]
    return [*yolo_attn.nn.modules(), MapSize, *inside, *others]


def install() -> None:
    """Admits the operators' classes to torch's loading of weights only."""
    torch.serialization.add_safe_globals([*classes(), *FUNCTIONS])


def uninstall() -> None:
    """Takes them out again; torch can only clear the whole list and take the others back."""
    ours = [*classes(), *FUNCTIONS]
    others = [entry for entry in torch.serialization.get_safe_globals() if entry not in ours]
    torch.serialization.clear_safe_globals()
    torch.serialization.add_safe_globals(others)


def canary() -> None:
    """Writes a checkpoint and reads it back in the restricted way.

    Raises:
        AttentionError: It is refused, or its weights differ.
    """
    file = io.BytesIO()
    written: dict[str, Any] = {"class": ECA, "weight": ECA(8).conv.weight}
    torch.save(written, file)
    file.seek(0)
    read = torch.load(file, weights_only=True)
    if read["class"] is not ECA or not torch.equal(read["weight"], written["weight"]):
        raise AttentionError("torch's restricted loading does not admit the attention classes")
