"""The kernels that ONNX Runtime runs a file with, and the time of each, from its own profiler."""

import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnxruntime

from yolo_attn.device.paths import layer_of

RUNS, SECONDS = 20, 3.0  # at most; the first run, which takes memory, does not count
LAYOUT = "Reorder"  # how ONNX Runtime calls the changes between its two layouts
FLOATS = {"tensor(float16)": np.float16}


class Timed(NamedTuple):
    """A kernel: its operator, its node's name, and the median of its times."""

    operator: str
    node: str
    microseconds: float


class Times(NamedTuple):
    """The microseconds of a file's kernels: all of them, and of each attention layer; and the changes of layout.

    `inside` are a layer's kernels, `layout` the changes beside it, some of which are there without attention too.
    """

    whole: float
    changes: float
    inside: dict[str, float]
    layout: dict[str, float]

    def own(self, base: float) -> dict[str, float]:
        """Returns each layer's own milliseconds: its kernels, and the changes that the base has not.

        These are shared out by the time of those beside each layer.

        Args:
            base: The microseconds of all changes of layout in the network without attention.
        """
        share = min(max(self.changes - base, 0.0) / max(sum(self.layout.values()), 1e-9), 1.0)
        return {path: (self.inside[path] + share * self.layout[path]) / 1e3 for path in self.inside}


def timed(
    session: Callable[[onnxruntime.SessionOptions], onnxruntime.InferenceSession], shape: tuple[int, ...] | None = None
) -> list[Timed]:
    """Returns the kernels on one CPU thread, in the order in which they run.

    Args:
        session: Opens the file with these options, to which it may add.
        shape: The input's shape `(N, C, H, W)`, where the file leaves it open.
    """
    with tempfile.TemporaryDirectory() as folder:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder, "profile"))
        opened = session(options)
        taken = opened.get_inputs()[0]
        image = np.random.default_rng(0).random(shape or taken.shape, np.float32)
        feed = {taken.name: image.astype(FLOATS.get(taken.type, np.float32))}
        end = time.perf_counter() + SECONDS
        for i in range(RUNS):
            opened.run(None, feed)
            if i and time.perf_counter() > end:
                break
        events = json.loads(Path(opened.end_profiling()).read_text(encoding="utf-8"))
    times: dict[tuple[str, str], list[int]] = {}
    for event in events:
        if event["cat"] == "Node" and event["name"].endswith("_kernel_time"):
            node = event["name"].removesuffix("_kernel_time")
            times.setdefault((event["args"].get("op_name", ""), node), []).append(event["dur"])
    return [Timed(*kernel, statistics.median(taken[1:])) for kernel, taken in times.items()]


def summed(kernels: Iterable[tuple[str, str | None, float]], layers: Iterable[str]) -> Times:
    """Returns the times of the layers from those of the kernels: each its operator, its layer and its microseconds."""
    inside, layout = dict.fromkeys(layers, 0.0), dict.fromkeys(layers, 0.0)
    whole = changes = 0.0
    for operator, layer, microseconds in kernels:
        moves = operator.startswith(LAYOUT)
        whole += microseconds
        changes += microseconds if moves else 0.0
        if layer is not None:
            (layout if moves else inside)[layer] += microseconds
    return Times(whole, changes, inside, layout)


def attributed(kernels: list[Timed], layers: Mapping[str, str]) -> Times:
    """Returns the times of the layers from the names alone.

    What the optimizer has made, without a path in its name, belongs to the kernel that runs next with one: it was made
    in front of that. A change of layout stands beside a layer where the one before or the one behind it is the layer's.
    """
    own = [layer_of(kernel.node, layers) if "/" in kernel.node else None for kernel in kernels]
    named = ["/" in kernel.node for kernel in kernels]
    found = []
    for i, kernel in enumerate(kernels):
        behind = next((own[k] for k in range(i + 1, len(own)) if named[k]), None)
        before = next((own[k] for k in range(i - 1, -1, -1) if named[k]), None)
        layer = own[i] if named[i] else behind
        if kernel.operator.startswith(LAYOUT):
            layer = behind or before
        found.append((kernel.operator, layer, kernel.microseconds))
    return summed(found, layers)
