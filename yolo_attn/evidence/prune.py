"""A checkpoint without some of its attention, and its YAML: the other weights follow exactly."""

import copy
from collections.abc import Collection
from pathlib import Path
from typing import Any

from torch import nn
from ultralytics import YOLO

from yolo_attn.errors import AttentionError, brief
from yolo_attn.evidence import checkpoint
from yolo_attn.evidence.layers import attention, network, row
from yolo_attn.export.staging import beside
from yolo_attn.surgery import recipe
from yolo_attn.upstream.building import own_scale


def chosen(model: nn.Module, drop: str) -> list[str]:
    """Returns the paths of the layers that `drop` names: `9,12` by their rows, `model.6.m.0.attn` by themselves.

    Raises:
        AttentionError: It names no attention layer, or a part of a row whose attention a YAML has or has not.
    """
    there, found = list(attention(model)), set()
    for word in filter(None, (part.strip() for part in drop.split(","))):
        named = [path for path in there if path == word or str(row(path)) == word]
        if not named:
            rows = ", ".join(dict.fromkeys(str(row(path)) for path in there))
            raise AttentionError(f"drop={word} is no attention layer; those are rows {rows}: {', '.join(there)}")
        found |= {*named}
    for path in sorted(found):
        if left := [other for other in there if row(other) == row(path) and other not in found]:
            raise AttentionError(
                f"drop={path}: row {row(path)} has attention in {left[0]} too, and a YAML's row has all of its "
                f"attention or none; write drop={row(path)}"
            )
    return [path for path in there if path in found]


def without(model: nn.Module, drop: Collection[str]) -> nn.Module:
    """Returns a new network without the layers at these paths, all of a row's; every other tensor is the same.

    Raises:
        AttentionError: The rows left make no network, or another one than the tensors are of.
    """
    old: Any = model
    gone = {row(path) for path in drop}
    rows = recipe.remove(copy.deepcopy(old.yaml), gone)
    if rows.get("scales"):
        rows["scale"] = own_scale(rows)  # parse_model warns where it chooses by itself
    removed = gone.intersection(recipe.attention_rows(old.yaml))
    number = {i: i - sum(one < i for one in removed) for i in range(len(old.model))}
    state = {}
    for key, tensor in old.state_dict().items():
        if not any(key == path or key.startswith(f"{path}.") for path in drop):
            _, i, *rest = key.split(".")
            state[".".join(["model", str(number[int(i)]), *rest])] = tensor
    try:
        new = checkpoint.built(old, rows, state)
    except RuntimeError as error:
        raise AttentionError(
            f"the weights do not follow into the network without {', '.join(drop)}: {brief(error)}"
        ) from None
    for path, layer in attention(new).items():
        _, i, *rest = path.split(".")
        before = next(one for one, now in number.items() if now == int(i) and one not in removed)
        layer.follow(old.get_submodule(".".join(["model", str(before), *rest])))
    return new


def write(model: YOLO, drop: Collection[str], file: Path, source: str, exist_ok: bool = False) -> None:
    """Writes the checkpoint `file` without the layers at these paths, and its YAML beside it; both, or neither.

    Raises:
        AttentionError: As of `without`; the folder cannot be written to; a file is there and `exist_ok` is not set.
    """
    pruned = without(network(model), drop)
    with beside(checkpoint.check_place(str(file), exist_ok), exist_ok) as folder:
        checkpoint.save(model, pruned, folder / file.name)
        checkpoint.put(folder / file.name, file, f"{source} without {', '.join(drop)}")
