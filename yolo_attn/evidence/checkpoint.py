"""A checkpoint of a network that was made of another one, and its YAML: built, saved, and put where it was asked."""

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn
from ultralytics import YOLO

from yolo_attn import insertion
from yolo_attn.errors import AttentionError
from yolo_attn.evidence.layers import network

DONE = {"epoch": -1, "best_fitness": None, "ema": None, "optimizer": None, "updates": None, "scaler": None}


def built(old: nn.Module, rows: dict, state: Mapping[str, torch.Tensor]) -> nn.Module:
    """Returns a new network of these rows and tensors, with what else `old` holds.

    Raises:
        RuntimeError: The rows make another network than the tensors are of.
    """
    made: Any = old
    new: Any = type(made)(rows, ch=rows.get("channels", 3), verbose=False)
    new.load_state_dict(state)
    for name in ("names", "nc", "args", "task"):
        if hasattr(made, name):
            setattr(new, name, copy.deepcopy(getattr(made, name)))
    return new.to(next(made.parameters()).device).train(made.training)


def save(model: YOLO, network: nn.Module, file: Path) -> None:
    """Writes a network as the checkpoint `file`, with what else that of `model` holds; its training is done."""
    held = model.model, model.ckpt
    model.model = network  # type: ignore[assignment]
    model.ckpt = {key: DONE.get(key, value) for key, value in (model.ckpt or {}).items()}
    try:
        model.save(file)
    finally:
        model.model, model.ckpt = held


def check_place(file: str, exist_ok: bool, name: str = "pruned") -> Path:
    """Returns the path of the checkpoint that is to be written; `name` is what one without a name might be called.

    Raises:
        AttentionError: It is no name for a checkpoint, or it or its YAML is there already.
    """
    path = Path(file)
    if path.suffix != ".pt":
        raise AttentionError(f"'{file}' is no name for a checkpoint: write -o {path.stem or name}.pt")
    for one in (path, path.with_suffix(".yaml")):
        if one.exists() and not exist_ok:
            raise AttentionError(f"'{one}' is there already: write exist_ok=True to replace it, or another name")
    return path


def put(staged: Path, file: Path, source: str) -> None:
    """Moves a checkpoint out of the folder beside `file` that it was made in, and its YAML with it.

    Args:
        staged: The checkpoint.
        file: What it is to be.
        source: What its YAML's heading says it was made from.
    """
    rows: Any = network(YOLO(staged)).yaml
    yaml = staged.with_suffix(".yaml")
    yaml.write_text(insertion.text(clean(rows), file.stem, source), encoding="utf-8")
    yaml.replace(file.with_suffix(".yaml"))
    staged.replace(file)


def clean(rows: dict) -> dict:
    """Returns a checkpoint's model dict without what Ultralytics wrote into it when it built it."""
    return {key: value for key, value in rows.items() if key not in ("yaml_file", "ch")}
