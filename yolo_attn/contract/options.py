"""The keys of `yolo-attn check`, each with its type, what it is, and its bounds."""

from dataclasses import dataclass, field
from typing import Annotated


@dataclass
class CheckOptions:
    """What `yolo-attn check` is told."""

    attention: Annotated[str, "an operator's name, or a file or module that has some: cbam, my_attention.py"]
    channels: Annotated[int, "the channels of the maps that it is checked on", 1, 65536] = 64
    options: Annotated[dict[str, str], "the operator's own, such as reduction=8"] = field(default_factory=dict)
