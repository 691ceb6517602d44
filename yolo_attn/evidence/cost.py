"""What each attention layer costs in the file that is used in the end: its milliseconds in ONNX Runtime."""

import statistics
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ultralytics import YOLO

from yolo_attn.evidence import checkpoint, prune
from yolo_attn.evidence.layers import attention
from yolo_attn.evidence.quiet import quiet
from yolo_attn.export import command, runtime
from yolo_attn.export.layers import layer_of

ROUNDS = 3
LAYOUT = "Reorder"  # how ONNX Runtime calls the changes between its two layouts


def milliseconds(model: YOLO, imgsz: int) -> dict[str, float]:
    """Returns each attention layer's own time in the exported file, and that of the whole file as "".

    Its own time is that of its kernels, on one thread, and of the changes of layout that the network without attention
    has not; these are shared out by the time of those beside each layer.

    Args:
        model: The network as it was trained.
        imgsz: The image's side; 0 takes what it was trained with.
    """
    trained: Any = model.model
    paths = list(attention(trained))
    arguments = {"imgsz": imgsz} if imgsz else {}
    with tempfile.TemporaryDirectory() as name, quiet():
        networks = {"whole.pt": trained, "base.pt": prune.without(trained, paths)}
        for one, network in networks.items():
            checkpoint.save(model, network, Path(name, one))
        export, base = (command.exported(Path(name, one), "onnx", arguments) for one in networks)
        shape = tuple(export.exporter.im.shape)
        rounds = [own_times(export.file, base.file, shape, paths) for _ in range(ROUNDS)]
    return {one: statistics.median(times[one] for times in rounds) for one in rounds[0]}


def own_times(file: Path, base: Path, shape: tuple[int, ...], paths: list[str]) -> Mapping[str, float]:
    """Returns the milliseconds of each layer and of the whole, measured once."""
    inside, layout = dict.fromkeys(paths, 0.0), dict.fromkeys(paths, 0.0)
    kernels = runtime.kernels(file, shape)
    for kernel in kernels:
        layer = next(filter(None, (layer_of(name, paths) for name in kernel.names)), None)
        if layer is not None:
            (layout if kernel.operator.startswith(LAYOUT) else inside)[layer] += kernel.microseconds
    more = max(changes(kernels) - changes(runtime.kernels(base, shape)), 0.0)
    share = min(more / max(sum(layout.values()), 1e-9), 1.0)
    own = {path: (inside[path] + share * layout[path]) / 1e3 for path in paths}
    return {"": sum(kernel.microseconds for kernel in kernels) / 1e3, **own}


def changes(kernels: list[runtime.Kernel]) -> float:
    """Returns the microseconds of all changes of layout."""
    return sum(kernel.microseconds for kernel in kernels if kernel.operator.startswith(LAYOUT))
