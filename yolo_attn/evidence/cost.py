"""What each attention layer costs in the file that is used in the end: its milliseconds in ONNX Runtime."""

import statistics
import tempfile
from pathlib import Path
from typing import Any

from torch import nn
from ultralytics import YOLO

from yolo_attn.device.paths import layer_of
from yolo_attn.device.profile import Times, summed
from yolo_attn.evidence import checkpoint, prune
from yolo_attn.evidence.layers import attention
from yolo_attn.evidence.quiet import quiet
from yolo_attn.export import command, runtime

ROUNDS = 3
BASE = "base"  # the network without attention


def milliseconds(model: YOLO, imgsz: int) -> dict[str, float]:
    """Returns each attention layer's own time in the exported file, that of the whole file as "", and of the base's.

    Its own time is that of its kernels, on one thread, and of the changes of layout that the network without attention
    has not; these are shared out by the time of those beside each layer.

    Args:
        model: The network as it was trained.
        imgsz: The image's side; 0 takes what it was trained with.
    """
    trained: Any = model.model
    paths = list(attention(trained))
    with tempfile.TemporaryDirectory() as name:
        file, shape = exported(model, trained, imgsz, Path(name, "whole.pt"))
        base, _ = exported(model, prune.without(trained, paths), imgsz, Path(name, "base.pt"))
        rounds = [own_times(file, base, shape, paths) for _ in range(ROUNDS)]
    return {one: statistics.median(times[one] for times in rounds) for one in rounds[0]}


def exported(model: YOLO, network: nn.Module, imgsz: int, pt: Path) -> tuple[Path, tuple[int, ...]]:
    """Exports a network as ONNX, beside the checkpoint that it is first written to; returns the file and its shape.

    Args:
        model: What else the checkpoint holds.
        network: The network as it was trained.
        imgsz: The image's side; 0 takes what it was trained with.
        pt: A path for the checkpoint.
    """
    with quiet():
        checkpoint.save(model, network, pt)
        done = command.exported(pt, "onnx", {"imgsz": imgsz} if imgsz else {})
    return done.file, tuple(done.exporter.im.shape)


def own_times(file: Path, base: Path, shape: tuple[int, ...], paths: list[str]) -> dict[str, float]:
    """Returns the milliseconds of each layer, of the whole and of the base, measured once."""
    whole, without = times(file, shape, paths), times(base, shape, [])
    return {"": whole.whole / 1e3, BASE: without.whole / 1e3, **whole.own(without.changes)}


def times(file: Path, shape: tuple[int, ...], paths: list[str]) -> Times:
    """Returns the times of a file's layers. The optimizer's own kernels belong where the tensors do that they read."""
    return summed(
        (
            (kernel.operator, next(filter(None, (layer_of(name, paths) for name in kernel.names)), None),
             kernel.microseconds)
            for kernel in runtime.kernels(file, shape)
        ),
        paths,
    )  # fmt: skip
