"""The ONNX graph of one module by itself, exported with the settings of Ultralytics' exporter, and fused."""

import io
from typing import Any

import onnx
import onnxslim
import torch
from torch import nn

from yolo_attn.export import fused

AXES = {0: "batch", 2: "height", 3: "width"}


def exported(module: nn.Module, shape: tuple[int, ...], dynamic: bool, opset: int = 18) -> onnx.ModelProto:
    """Returns the module's graph as torch's exporter and onnxslim leave it.

    Args:
        module: The operator, or a network.
        shape: The input's shape `(N, C, H, W)`.
        dynamic: Whether batch, height and width stay open.
        opset: The ONNX opset.

    Raises:
        torch.onnx.errors.OnnxExporterError: torch cannot export it.
    """
    file: Any = io.BytesIO()
    torch.onnx.export(
        module, (torch.zeros(shape),), file, dynamo=False, opset_version=opset, input_names=["x"], output_names=["y"],
        dynamic_axes={"x": AXES, "y": AXES} if dynamic else None,
    )  # fmt: skip
    return onnxslim.slim(onnx.load_from_string(file.getvalue()))


def rewritten(model: onnx.ModelProto, reader: str = "onnx") -> tuple[onnx.ModelProto, dict[str, int]]:
    """Returns an operator's graph fused, as it is within a network, and how often each rule matched."""
    for node in model.graph.node:
        node.name = f"/model.0{node.name}"
    return fused.fuse(model, ["model.0"], reader)
