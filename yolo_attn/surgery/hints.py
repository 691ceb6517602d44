"""What to say of a row's name that is no module of anybody's."""

import torch

from yolo_attn import registry
from yolo_attn.surgery.rows import BLOCKS


def hint(name: str) -> str:
    """Returns what to say behind a module's name that nobody knows, or nothing.

    It may be an operator that is not here, by itself or in a block (`C2f_MHSA`); torch's, which wants `nn.`; or one
    of ours, misspelt, by itself or in a block (`C2f_CBMA`).
    """
    words = name.split("_")
    for i in range(len(words)):
        if said := registry.not_here("_".join(words[i:])):
            return said
    if isinstance(getattr(torch.nn, name, None), type):
        return registry.did_you_mean(f"nn.{name}")
    block, _, operator = name.partition("_")
    if block in BLOCKS and (meant := registry.misspelt(operator)):
        return registry.did_you_mean(f"{block}_{meant}")
    return registry.did_you_mean(registry.misspelt(name))
