"""`yolo-attn maps`: what each attention layer looks at in a picture, and what is found without it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from torch import nn
from ultralytics import YOLO
from ultralytics.data.utils import VID_FORMATS
from ultralytics.utils import LOGGER, colorstr
from ultralytics.utils.files import increment_path

from yolo_attn.errors import AttentionError, brief
from yolo_attn.evidence import changes, sheet
from yolo_attn.evidence.changes import Changes
from yolo_attn.evidence.gates import watched
from yolo_attn.evidence.layers import attention, load, off, unfused
from yolo_attn.evidence.options import MapsOptions
from yolo_attn.evidence.sheet import Row


def command(options: MapsOptions) -> int:
    """Draws a sheet for each picture of the source, and of a video for each second; returns the exit status.

    Raises:
        AttentionError: The model has no attention, or the source cannot be read.
    """
    model, again = load(options.model), YOLO(options.model)
    net: Any = unfused(model)
    again.model = net  # a second one, as Ultralytics' predictor reads one source at a time
    asked: dict[str, Any] = {"conf": options.conf, "device": options.device or None, "verbose": False}
    asked |= {"imgsz": options.imgsz} if options.imgsz else {}
    folder: Path | None = None
    with watched(net) as watch:
        for result in results(model, options.source, asked):
            folder = folder or increment_path(
                Path(options.project) / (options.name or "maps"), options.exist_ok, mkdir=True
            )
            seen, size = dict(watch.layers), watch.size
            layers = attention(net).items()
            rows = [Row(path, seen[path], without(again, layer, result, asked)) for path, layer in layers]
            file = named(folder, Path(result.path))
            picture = cv2.cvtColor(result.orig_img, cv2.COLOR_BGR2RGB)
            sheet.write(file, picture, changes.boxes_of(result), result.names, size, rows)
            if options.save_npy:
                save_gates(file, rows)
            LOGGER.info("\n".join([str(file), *(f"  {row.path}: {row.changes}" for row in rows)]))
    if folder is None:
        raise AttentionError(f"source={options.source} has no picture")
    LOGGER.info(f"Results saved to {colorstr('bold', folder)}")
    return 0


def results(model: YOLO, source: str, asked: dict[str, Any]) -> Iterator[Any]:
    """Yields Ultralytics' results of a source, of a video one a second.

    Raises:
        AttentionError: The source cannot be read.
    """
    stride = 1
    if Path(source).suffix[1:].lower() in VID_FORMATS:
        stride = max(round(cv2.VideoCapture(source).get(cv2.CAP_PROP_FPS)), 1)
    try:
        yield from model.predict(source, stream=True, vid_stride=stride, **asked)
    except AttentionError:
        raise
    except Exception as error:  # another for each kind of source
        raise AttentionError(f"source={source} cannot be read: {brief(error)}") from None


def without(model: YOLO, layer: nn.Module, result: Any, asked: dict[str, Any]) -> Changes | str:
    """Returns what changes in what is found when a layer is switched off."""
    with off(layer):
        other: Any = list(model.predict(result.orig_img, **asked))[0]
    if result.probs is not None:
        return changes.classes_between(result, other)
    return changes.between(changes.boxes_of(result), changes.boxes_of(other))


def named(folder: Path, source: Path) -> Path:
    """Returns the sheet's name: the picture's, with a number where one is there already, as of a video's frames."""
    number = 1
    while (file := folder / f"{source.stem}{f'-{number}' if number > 1 else ''}.png").exists():
        number += 1
    return file


def save_gates(sheet_file: Path, rows: list[Row]) -> None:
    """Writes what each layer multiplied by, beside the sheet: `(1, C or 1, H or 1, W or 1)`."""
    for row in rows:
        if row.seen.gate is not None:
            np.save(sheet_file.with_name(f"{sheet_file.stem}-{row.path}.npy"), row.seen.gate.cpu().numpy())
