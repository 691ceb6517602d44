"""`yolo-attn export`: the formats of Ultralytics by its own exporter, and `rtx`, which is built from its ONNX file."""

import contextlib
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from ultralytics import YOLO
from ultralytics.utils import LOGGER, colorstr

from yolo_attn.errors import AttentionError
from yolo_attn.export import rtx
from yolo_attn.export.staging import beside

PREFIX = colorstr("TensorRT-RTX:")


def run(
    model: str | Path,
    format: str,
    targets: str | Sequence[str] = rtx.TARGETS,
    report: bool = False,
    gates: bool = False,
    **arguments,
) -> Path:
    """Exports; see `yolo_attn.export.run`."""
    if gates and format != "onnx":
        raise AttentionError(f"gates=True adds outputs to what format=onnx writes, not format={format}")
    if report and format not in ("onnx", "rtx"):
        raise AttentionError(f"report=True reads what format=onnx and format=rtx write, not format={format}")
    if format != "rtx":
        export = exported(model, format, arguments)
        if report:
            write_report(export, export.file, None)
        if gates:
            add_gates(export.file)
        return export.file
    wanted = rtx.read_targets(targets)
    # A model that is no file of weights has its engine here.
    with beside(Path(model) if Path(model).suffix == ".pt" else Path(Path(model).name)) as folder:
        with without_farewell():
            export = exported(model, "onnx", arguments, folder)
        LOGGER.info(f"\n{PREFIX} building for {', '.join(wanted)} with {rtx.tensorrt().__version__}...")
        plan = rtx.build(export.file, wanted, profile_of(export.exporter))
        built = folder / f"{Path(model).stem}_rtx.engine"
        built.write_bytes(rtx.header(export.exporter.metadata) + plan)
        done = built.replace(folder.parent / built.name)
        LOGGER.info(f"{PREFIX} saved as '{done}' ({len(plan) / 1e6:.1f} MB)")
        if report:
            write_report(export, done, plan)
    return done


def add_gates(file: Path) -> None:
    """Adds the spatial gates to an ONNX file's outputs, and says whose they are."""
    from yolo_attn.export import gates

    if found := gates.add(file):
        LOGGER.info(f"{file} also gives the gates of {', '.join(found)}: yolo-attn live shows them with the key g")
    else:
        LOGGER.warning(f"{file} has no attention whose gate differs from place to place: no output was added")


class Exported(NamedTuple):
    """A file, the exporter that wrote it, and the network as it was trained."""

    file: Path
    exporter: Any
    model: torch.nn.Module


def write_report(export: Exported, done: Path, plan: bytes | None) -> None:
    """Prints what became of the attention in the exported file `done`, and saves it beside as `…_report.md`."""
    from yolo_attn.export import report

    exporter = export.exporter
    if "attention" not in exporter.metadata:
        LOGGER.warning(f"{done} has no attention, so there is no report")
        return
    shape, dynamic = tuple(exporter.im.shape), exporter.args.dynamic
    text = report.render(done.name, export.file, export.model, shape, dynamic, plan)
    file = done.with_name(f"{done.stem}_report.md")
    with beside(file) as folder:
        (folder / file.name).write_text(text, encoding="utf-8")
        (folder / file.name).replace(file)
    LOGGER.info(f"\n{text}\nReport saved to {colorstr('bold', file)}")


def exported(model: str | Path, format: str, arguments: dict, folder: Path | None = None) -> Exported:
    """Lets Ultralytics export; its file is written to `folder`, where one is given.

    Raises:
        AttentionError: Ultralytics' exporter failed, or there is no such model.
    """
    seen: list[Any] = []

    def started(exporter) -> None:
        seen.append(exporter)
        if folder:
            exporter.into = folder
            exporter.for_tensorrt = True

    try:
        yolo: Any = YOLO(model)
        yolo.add_callback("on_export_start", started)
        return Exported(Path(yolo.export(format=format, **arguments)), seen[0], yolo.model)
    except AttentionError:
        raise
    except Exception as error:
        raise AttentionError(f"export of {model}: {' '.join(str(error).split())}") from error


def profile_of(exporter) -> rtx.Profile | None:
    """Returns the shapes for a dynamic engine: those that Ultralytics gives its own, or None for a static one."""
    if not exporter.args.dynamic:
        return None
    profile = rtx.usual_profile(exporter.im.shape, int(exporter.metadata["stride"]))
    LOGGER.info(f"{PREFIX} shapes from {profile.smallest} to {profile.largest}; batch=… and imgsz=… set them")
    return profile


@contextlib.contextmanager
def without_farewell() -> Iterator[None]:
    """Leaves out the exporter's last words, which say how to use a file that is only a step here."""

    def keep(record: logging.LogRecord) -> bool:
        return not record.getMessage().startswith("\nExport complete")

    LOGGER.addFilter(keep)
    try:
        yield
    finally:
        LOGGER.removeFilter(keep)
