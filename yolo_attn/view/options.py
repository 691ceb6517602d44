"""The keys of `yolo-attn show` and `list`, each with its type, what it is, and its bounds."""

from dataclasses import dataclass
from typing import Annotated


@dataclass
class ShowOptions:
    """What `yolo-attn show` is told."""

    model: Annotated[str, "a model YAML's name or path, or a checkpoint"]
    o: Annotated[str, "a drawing beside the table: my.svg, my.png or my.pdf"] = ""
    imgsz: Annotated[int, "the image's side in pixels", 32, 8192] = 640
    exist_ok: Annotated[bool, "write over a drawing that is there"] = False


@dataclass
class ListOptions:
    """What `yolo-attn list` is told."""

    kind: Annotated[str, "operators of one kind alone: channel, spatial, …"] = ""
