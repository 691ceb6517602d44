"""The fused graph: what the exporters of torch leave of a deploy form, rewritten into the fewest standard nodes."""

import contextlib
from collections.abc import Callable, Iterable

import onnx
import onnx_ir as ir
from onnx_ir.passes import common

from yolo_attn.device.paths import layer_of
from yolo_attn.export.layers import attention_layers
from yolo_attn.export.rewrites import (
    NoMatch,
    channel_pool,
    global_pool,
    norm,
    pixel_count,
    reshape_target,
    spatial_gate,
    strip_product,
    trailing_axes,
)

RULES: dict[str, Callable[[ir.Node], None]] = {
    "reshape_target": reshape_target.rewrite,
    "pixel_count": pixel_count.rewrite,
    "channel_pool": channel_pool.rewrite,
    "strip_product": strip_product.rewrite,
    "global_pool": global_pool.rewrite,
    "spatial_gate": spatial_gate.rewrite,
    "trailing_axes": trailing_axes.rewrite,
    "norm": norm.rewrite,
}
# What is not done for a reader of the file. TensorRT takes maximum and mean over channels into the kernel of the
# product before; poolings, faster in ONNX Runtime, would be kernels of their own, and its gates stay as they are.
# Converters get plain nodes: MNN crashes at the poolings and takes ReduceL2 for another number, onnx2tf fails.
LEFT_OUT: dict[str, tuple[str, ...]] = {
    "onnx": ("norm",),
    "tensorrt": ("norm", "channel_pool", "spatial_gate"),
    "converter": ("channel_pool", "spatial_gate"),
}


def fuse(
    model: onnx.ModelProto, layers: Iterable[str] | None = None, reader: str = "onnx"
) -> tuple[onnx.ModelProto, dict[str, int]]:
    """Rewrites the nodes of the attention layers; every other node stays as it is.

    Args:
        model: The exported model.
        layers: The module paths of its attention; those of its metadata if left out.
        reader: What reads the file: `onnx` for ONNX Runtime and whatever else runs ONNX, `tensorrt`, or `converter` for
            what makes a file of another format of it.

    Returns:
        The new model, and how often each rule matched.
    """
    layers = attention_layers(model) if layers is None else list(layers)
    graph = ir.from_proto(onnx.shape_inference.infer_shapes(model))
    matches = dict.fromkeys(RULES, 0)
    for name, rewrite in RULES.items():
        if name in LEFT_OUT[reader]:
            continue
        for node in list(graph.graph):
            if node.graph is not None and layer_of(node.name or "", layers):
                with contextlib.suppress(NoMatch):
                    rewrite(node)
                    matches[name] += 1
    common.RemoveUnusedNodesPass()(graph)
    common.TopologicalSortPass()(graph)
    fused = ir.to_proto(graph)
    del fused.graph.value_info[:]  # every reader infers shapes; those written here trip the conversion to FP16
    return fused, matches
