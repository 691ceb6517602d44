"""What Ultralytics' exporter writes into a model file about the model."""

import ast
from dataclasses import dataclass
from pathlib import Path

from yolo_attn.errors import AttentionError
from yolo_attn.live.given import NOTHING, Given

STRIDE = 32  # of the YOLO families, where a file does not say it
TASKS = ("detect", "segment", "pose", "obb", "classify")


@dataclass(frozen=True)
class Metadata:
    """A model's task, class names, input size (H, W) and stride; whether its rows are finished, its shape dynamic.

    `gates` are the layers whose gates are the file's last outputs.
    """

    task: str
    names: dict[int, str]
    imgsz: tuple[int, int]
    stride: int
    end2end: bool
    dynamic: bool
    kpt_shape: tuple[int, int]
    gates: tuple[str, ...] = ()


def filled(raw: dict, given: Given, shape: list, imgsz: int | None, file: Path) -> dict:
    """Returns a file's metadata, with what was given in the place of what is missing.

    Args:
        raw: The file's own.
        given: What the file is said to be of.
        shape: The input's shape; what is open in it is no number.
        imgsz: The side in pixels where the shape is open.
        file: The file.

    Raises:
        AttentionError: The file says something else of its task, or nobody says its size.
    """
    if given == NOTHING:
        return raw
    if raw.get("task", given.task or raw.get("task")) != (given.task or raw.get("task")):
        raise AttentionError(f"'{file}' is a {raw['task']} model, as it says itself: leave task={given.task} out")
    said = {"stride": str(STRIDE), "task": given.task or "detect", **raw}
    if given.names:
        said["names"] = str(dict(enumerate(given.names)))
    if "imgsz" not in said:
        is_open = not all(isinstance(length, int) for length in shape[2:])
        if is_open and not imgsz:
            raise AttentionError(f"'{file}' does not say the size of its pictures: add imgsz=640")
        said["imgsz"] = str([imgsz, imgsz] if is_open else list(shape[2:]))
        said.setdefault("args", str({"dynamic": is_open}))
    return said


def read(raw: dict, file: Path) -> Metadata:
    """Returns what the exporter wrote, from the strings of an ONNX file or the values of an engine's header.

    Raises:
        AttentionError: The file does not come from Ultralytics' exporter, or has a head that has no boxes.
    """
    values = {key: _value(text) for key, text in raw.items()}
    if not {"task", "names", "imgsz", "stride"} <= values.keys():
        raise AttentionError(
            f"'{file}' does not say what its model is of: add names=cat,dog (and task=segment, …), or export it with "
            "yolo export model=... format=onnx"
        )
    if values["task"] not in TASKS or values.get("head") == "RTDETRDecoder":
        what = f"task '{values['task']}'" if values["task"] not in TASKS else "RT-DETR's head"
        raise AttentionError(f"'{file}' has {what}; yolo-attn live runs {', '.join(TASKS)} models of the YOLO families")
    options = values.get("args")
    options = options if isinstance(options, dict) else {}
    channels, batch = values.get("channels", 3), values.get("batch", 1)
    if channels != 3 or (batch != 1 and not options.get("dynamic")):
        raise AttentionError(
            f"'{file}' wants {channels} channels in batches of {batch}: export it for 3 channels with batch=1"
        )
    size, names = values["imgsz"], values["names"]
    try:
        height, width = (size, size) if isinstance(size, int) else map(_whole, size)
        rows, columns = map(_whole, values.get("kpt_shape", (17, 3)))
        named = names if isinstance(names, dict) else dict(enumerate(_listed(names)))
        return Metadata(
            task=values["task"],
            names={_whole(number): str(name) for number, name in named.items()},
            imgsz=(height, width),
            stride=_whole(values["stride"]),
            end2end=bool(values.get("end2end") or options.get("nms")),
            dynamic=bool(options.get("dynamic")),
            kpt_shape=(rows, columns),
            gates=tuple(filter(None, str(values.get("gates", "")).split("; "))),
        )
    except (TypeError, ValueError):
        said = ", ".join(
            f"{key} {values[key]!r}"[:60] for key in ("imgsz", "stride", "names", "kpt_shape") if key in values
        )
        raise AttentionError(
            f"'{file}' says of its model what cannot be: {said}; export it with yolo export model=... format=onnx"
        ) from None


def _whole(value: object) -> int:
    """Returns a whole number from 0 on, which may stand in a text or be written 32.0."""
    number = float(value)  # type: ignore[arg-type]
    if number != int(number) or number < 0:
        raise ValueError
    return int(number)


def _listed(names: object) -> list:
    if not isinstance(names, list | tuple):
        raise TypeError
    return list(names)


def _value(text):
    """Returns what a string of the metadata stands for; a text stays a text."""
    try:
        return ast.literal_eval(text) if isinstance(text, str) else text
    except (ValueError, SyntaxError):
        return text
