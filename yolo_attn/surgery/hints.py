"""What to say of a row's name that is no module of anybody's."""

import torch

from yolo_attn import registry
from yolo_attn.surgery.rows import BLOCKS


def hint(name: str) -> str:
    """Returns what to say behind a module's name that nobody knows, or nothing.

    It may be an operator that is not here, by itself or in a block (`C2f_EMA`); torch's, which wants `nn.` in front; or
    one of ours that is misspelt, by itself or in a block (`C2f_CBMA`).
    """
    block, _, operator = name.rpartition("_")
    if said := registry.not_here(name) or (block and registry.not_here(operator)):
        return said
    if isinstance(getattr(torch.nn, name, None), type):
        return registry.did_you_mean(f"nn.{name}")
    if block in BLOCKS and (meant := registry.misspelt(operator)):
        return registry.did_you_mean(f"{block}_{meant}")
    return registry.hint(name)
