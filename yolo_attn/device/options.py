"""The keys of `yolo-attn latency`, each with its type, what it is, and its bounds."""

from dataclasses import dataclass
from typing import Annotated


@dataclass
class LatencyOptions:
    """What `yolo-attn latency` is told."""

    model: Annotated[str, "an .onnx file, or several joined by commas"]
    o: Annotated[str, "a CSV of the times, such as my-device.csv, for yolo-attn place latency="] = ""
    exist_ok: Annotated[bool, "write over what is there"] = False
