"""The fused graph of one operator, as it is within a network: for what counts nodes and kernels, and for tests."""

import onnx

from yolo_attn.export import fused


def rewritten(model: onnx.ModelProto, tensorrt: bool = False) -> tuple[onnx.ModelProto, dict[str, int]]:
    """Returns an operator's graph fused, as within a network, and how often each rule matched."""
    for node in model.graph.node:
        node.name = f"/model.0{node.name}"
    return fused.fuse(model, ["model.0"], tensorrt)
