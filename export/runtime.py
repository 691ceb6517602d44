"""What ONNX Runtime makes of a file: the kernels of its optimized model, and the time each takes."""

import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx
import onnxruntime

RUNS, SECONDS = 20, 3.0  # at most; the first run, which takes memory, does not count


class Kernel(NamedTuple):
    """One kernel: its operator, the names it goes by, and the median of its times.

    Its name is the node's that it was made from. A change of layout was made from none: the tensors stand for it.
    """

    operator: str
    names: tuple[str, ...]
    microseconds: float


def kernels(file: Path, shape: tuple[int, ...]) -> list[Kernel]:
    """Returns the kernels that run an ONNX file on one CPU thread, in their order.

    Args:
        file: The ONNX file.
        shape: The input's shape `(N, C, H, W)`.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        options.optimized_model_filepath = str(folder / "optimized.onnx")
        options.enable_profiling = True
        options.profile_file_prefix = str(folder / "profile")
        session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
        taken = session.get_inputs()[0]
        image = np.random.default_rng(0).random(shape, np.float32)
        feed = {taken.name: image.astype(np.float16 if taken.type == "tensor(float16)" else np.float32)}
        end = time.perf_counter() + SECONDS
        for i in range(RUNS):
            session.run(None, feed)
            if i and time.perf_counter() > end:
                break
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
        nodes = onnx.load(folder / "optimized.onnx", load_external_data=False).graph.node
    times: dict[str, list[int]] = {}
    for event in events:
        if event["cat"] == "Node" and event["name"].endswith("_kernel_time"):
            times.setdefault(event["name"].removesuffix("_kernel_time"), []).append(event["dur"])
    return [
        Kernel(
            node.op_type,
            (node.name,) if "/" in node.name else (*node.output, *node.input),
            statistics.median(times[node.name][1:]),
        )
        for node in nodes
        if node.name in times
    ]
