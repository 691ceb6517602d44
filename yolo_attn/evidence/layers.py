"""The attention layers of a trained model, and one of them switched off."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn
from ultralytics import YOLO

from yolo_attn.errors import AttentionError, brief
from yolo_attn.nn import Attention
from yolo_attn.nn.base import operators


def load(model: str | Path) -> YOLO:
    """Returns the checkpoint `model`, ready to run and not fused.

    Raises:
        AttentionError: It is no checkpoint, or has no attention that could be looked at.
    """
    if not str(model).endswith(".pt"):
        raise AttentionError(f"'{model}' is no checkpoint: train it first, yolo train model={model} data=...")
    if not Path(model).is_file():
        raise AttentionError(f"there is no checkpoint '{model}'")
    try:
        loaded = YOLO(model)
    except AttentionError:
        raise
    except Exception as error:  # whatever a damaged or foreign file makes of Ultralytics' reading
        raise AttentionError(f"{model} cannot be read: {brief(error)}") from None
    if not attention(network(loaded).float().eval()):
        raise AttentionError(f"{model} has no attention; train a model with some, such as yolo11n-cbam.yaml")
    return loaded


def network(model: YOLO) -> nn.Module:
    """Returns the network that a model of Ultralytics holds, which says that it may be a file's name, too."""
    return model.model  # type: ignore[return-value]


def unfused(model: YOLO) -> nn.Module:
    """Returns the network that a model holds and keeps it from being fused: deployed attention is no layer of ours."""
    kept: Any = network(model)
    kept.fuse = lambda *_, **__: kept
    return kept


def attention(model: nn.Module) -> dict[str, Attention]:
    """Returns the attention layers of a network as it was trained, by their paths: `model.9`, `model.6.m.0.attn`."""
    return {path: layer for path, layer in operators(model).items() if isinstance(layer, Attention)}


def row(path: str) -> int:
    """Returns the row of the model YAML that the layer at `path` is of, or lies in: 6 of `model.6.m.0.attn`."""
    return int(path.split(".")[1])


@contextlib.contextmanager
def off(layer: nn.Module) -> Iterator[None]:
    """Switches an attention layer off: its map passes unchanged, exactly as with a gate of 1, however it starts."""
    layer.forward = _unchanged  # hides the class's method until it is deleted
    try:
        yield
    finally:
        del layer.forward


def _unchanged(x: torch.Tensor) -> torch.Tensor:
    return x
