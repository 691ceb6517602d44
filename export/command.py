"""`yolo-attn export`: the formats of Ultralytics by its own exporter, and `rtx`, which is built from its ONNX file."""

import contextlib
import logging
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ultralytics import YOLO
from ultralytics.utils import LOGGER, colorstr

from yolo_attn.errors import AttentionError
from yolo_attn.export import rtx

PREFIX = colorstr("TensorRT-RTX:")


def run(model: str | Path, format: str, targets: str | Sequence[str] = rtx.TARGETS, **arguments) -> Path:
    """Exports; see `yolo_attn.export.run`."""
    if format != "rtx":
        return exported(model, format, arguments)[0]
    wanted = rtx.read_targets(targets)
    with beside(Path(model)) as folder:
        with without_farewell():
            file, exporter = exported(model, "onnx", arguments, folder)
        LOGGER.info(f"\n{PREFIX} building for {', '.join(wanted)} with {rtx.tensorrt().__version__}...")
        plan = rtx.build(file, wanted, profile_of(exporter))
        built = folder / f"{Path(model).stem}_rtx.engine"
        built.write_bytes(rtx.header(exporter.metadata) + plan)
        done = built.replace(folder.parent / built.name)
    LOGGER.info(f"{PREFIX} saved as '{done}' ({len(plan) / 1e6:.1f} MB)")
    return done


def exported(model: str | Path, format: str, arguments: dict, folder: Path | None = None) -> tuple[Path, Any]:
    """Returns the file that Ultralytics exports, and the exporter as it was then; written to `folder` if there is one.

    Raises:
        AttentionError: Ultralytics' exporter failed, or there is no such model.
    """
    seen: list[Any] = []

    def started(exporter) -> None:
        seen.append(exporter)
        if folder:
            exporter.file = folder / exporter.file.name

    try:
        yolo = YOLO(model)
        yolo.add_callback("on_export_start", started)
        return Path(yolo.export(format=format, **arguments)), seen[0]
    except AttentionError:
        raise
    except Exception as error:
        raise AttentionError(f"export of {model}: {' '.join(str(error).split())}") from error


def profile_of(exporter) -> rtx.Profile | None:
    """Returns the shapes for a dynamic engine: those that Ultralytics gives its own, or None for a static one."""
    if not exporter.args.dynamic:
        return None
    batch, channels, height, width = usual = tuple(exporter.im.shape)
    side = max(32, int(exporter.metadata["stride"]))
    profile = rtx.Profile((1, channels, side, side), usual, (batch, channels, 2 * height, 2 * width))
    LOGGER.info(f"{PREFIX} shapes from {profile.smallest} to {profile.largest}; batch=… and imgsz=… set them")
    return profile


@contextlib.contextmanager
def beside(model: Path) -> Iterator[Path]:
    """Makes a folder beside the model, or here for a model that is no file; it is gone when the block is left."""
    parent = model.parent if model.suffix == ".pt" else Path()
    try:
        folder = tempfile.TemporaryDirectory(prefix=f".{model.stem}-", dir=parent)
    except OSError as error:
        raise AttentionError(f"cannot write beside {model}: {error.strerror}") from error
    with folder as name:
        yield Path(name)


@contextlib.contextmanager
def without_farewell() -> Iterator[None]:
    """Leaves out the exporter's last words, which say how to use a file that is only a step here."""

    def keep(record: logging.LogRecord) -> bool:
        return not str(record.msg).startswith("\nExport complete")

    LOGGER.addFilter(keep)
    try:
        yield
    finally:
        LOGGER.removeFilter(keep)
