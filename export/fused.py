"""The fused graph: what the exporters of torch leave of a deploy form, rewritten into the fewest standard nodes."""

from collections.abc import Callable

import onnx
import onnx_ir as ir
from onnx_ir.passes import common

from yolo_attn.export.layers import attention_layers, layer_of
from yolo_attn.export.rewrites import NoMatch, channel_mean, global_pool, pixel_count, reshape_target

RULES: tuple[Callable[[ir.Node], None], ...] = (
    reshape_target.rewrite,
    pixel_count.rewrite,
    channel_mean.rewrite,
    global_pool.rewrite,
)


def fuse(model: onnx.ModelProto, layers: dict[str, str] | None = None) -> tuple[onnx.ModelProto, dict[str, int]]:
    """Rewrites the nodes of the attention layers; every other node stays as it is.

    Args:
        model: The exported model.
        layers: Its attention layers by module path; those of its metadata if left out.

    Returns:
        The new model, and how often each rule matched.
    """
    layers = attention_layers(model) if layers is None else layers
    graph = ir.from_proto(onnx.shape_inference.infer_shapes(model))
    matches = {rule.__module__.rpartition(".")[2]: 0 for rule in RULES}
    for rule in RULES:
        for node in list(graph.graph):
            if node.graph is None or not layer_of(node.name or "", layers):
                continue
            try:
                rule(node)
            except NoMatch:
                continue
            matches[rule.__module__.rpartition(".")[2]] += 1
    common.RemoveUnusedNodesPass()(graph)
    common.TopologicalSortPass()(graph)
    fused = ir.to_proto(graph)
    del fused.graph.value_info[:]  # every reader infers shapes; those written here trip the conversion to FP16
    return fused, matches
