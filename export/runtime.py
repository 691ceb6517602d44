"""What ONNX Runtime makes of a file: the kernels of its optimized model, and the time each takes."""

import tempfile
from pathlib import Path
from typing import NamedTuple

import onnx
import onnxruntime

from yolo_attn.device import profile


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
    with tempfile.TemporaryDirectory() as folder:
        optimized = Path(folder, "optimized.onnx")

        def session(options: onnxruntime.SessionOptions) -> onnxruntime.InferenceSession:
            options.optimized_model_filepath = str(optimized)
            return onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])

        times = {kernel.node: kernel.microseconds for kernel in profile.timed(session, shape)}
        nodes = onnx.load(optimized, load_external_data=False).graph.node
    return [
        Kernel(node.op_type, (node.name,) if "/" in node.name else (*node.output, *node.input), times[node.name])
        for node in nodes
        if node.name in times
    ]
