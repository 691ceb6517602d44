"""What Ultralytics' exporter writes into a model file about the model."""

import ast
from dataclasses import dataclass
from pathlib import Path

from yolo_attn.errors import AttentionError

TASKS = ("detect", "segment", "pose", "obb", "classify")


@dataclass(frozen=True)
class Metadata:
    """A model's task, class names, input size (H, W) and stride; whether its rows are finished, its shape dynamic."""

    task: str
    names: dict[int, str]
    imgsz: tuple[int, int]
    stride: int
    end2end: bool
    dynamic: bool
    kpt_shape: tuple[int, int]


def read(raw: dict, file: Path) -> Metadata:
    """Returns what the exporter wrote, from the strings of an ONNX file or the values of an engine's header.

    Raises:
        AttentionError: The file does not come from Ultralytics' exporter, or has a head that has no boxes.
    """
    values = {key: _value(text) for key, text in raw.items()}
    if not {"task", "names", "imgsz", "stride"} <= values.keys():
        raise AttentionError(f"'{file}' says nothing about its model: export it with yolo export model=... format=onnx")
    if values["task"] not in TASKS or values.get("head") == "RTDETRDecoder":
        what = f"task '{values['task']}'" if values["task"] not in TASKS else "RT-DETR's head"
        raise AttentionError(f"'{file}' has {what}; yolo-attn live runs {', '.join(TASKS)} models of the YOLO families")
    options = values.get("args") or {}
    channels, batch = values.get("channels", 3), values.get("batch", 1)
    if channels != 3 or (batch != 1 and not options.get("dynamic")):
        raise AttentionError(
            f"'{file}' wants {channels} channels in batches of {batch}: export it for 3 channels with batch=1"
        )
    size = values["imgsz"]
    height, width = (size, size) if isinstance(size, int) else size
    return Metadata(
        task=values["task"],
        names={int(number): str(name) for number, name in values["names"].items()},
        imgsz=(height, width),
        stride=int(values["stride"]),
        end2end=bool(values.get("end2end") or options.get("nms")),
        dynamic=bool(options.get("dynamic")),
        kpt_shape=tuple(values.get("kpt_shape", (17, 3))),
    )


def _value(text):
    """Returns what a string of the metadata stands for; a text stays a text."""
    try:
        return ast.literal_eval(text) if isinstance(text, str) else text
    except (ValueError, SyntaxError):
        return text
