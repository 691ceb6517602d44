"""The keys of `yolo-attn add`, `remove` and `fix`, each with its type and what it is."""

from dataclasses import dataclass, field
from typing import Annotated


@dataclass
class AddOptions:
    """What `yolo-attn add` is told."""

    model: Annotated[str, "a model YAML's name or path, or a checkpoint"]
    attention: Annotated[str, "the operator: cbam, eca.k5, …"]
    at: Annotated[str, "the places, joined by commas: backbone, head, P5, in:neck, after:9, instead:c2psa"] = "backbone"
    o: Annotated[str, "the YAML file to write; printed without it"] = ""
    exist_ok: Annotated[bool, "write over a file that is there"] = False
    options: Annotated[dict[str, str], "the operator's own, such as reduction=8, and start=identity or start=paper"] = (
        field(default_factory=dict)
    )


@dataclass
class RewriteOptions:
    """What `yolo-attn remove` and `yolo-attn fix` are told."""

    model: Annotated[str, "a model YAML's name or path, or a checkpoint"]
    o: Annotated[str, "the YAML file to write; printed without it"] = ""
    exist_ok: Annotated[bool, "write over a file that is there"] = False
