"""The keys of `yolo-attn export`, each with its type and what it is."""

from dataclasses import dataclass, field
from typing import Annotated

from yolo_attn.export.rtx import TARGETS


@dataclass
class ExportOptions:
    """What `yolo-attn export` is told."""

    model: Annotated[str, "a checkpoint, or a model YAML"]
    format: Annotated[str, "rtx, or any format of yolo export"] = "onnx"
    targets: Annotated[str, "the GPUs that a format=rtx engine is for, such as sm86,sm89,sm120"] = ",".join(TARGETS)
    report: Annotated[bool, "also say what became of each attention layer, for onnx and rtx"] = False
    gates: Annotated[bool, "also give the spatial gates, for yolo-attn live to show; for onnx"] = False
    arguments: Annotated[dict[str, str], "those of yolo export, such as imgsz=640 dynamic=True quantize=16"] = field(
        default_factory=dict
    )
