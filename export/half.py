"""FP16 of a file that was exported in FP32: weights and maps in half precision, sums of squares in single."""

import onnx

from yolo_attn.export.layers import attention_layers, layer_of

# A sum of squares over an 80×80 map leaves fp16 (65504) where the features are 3.2 on average.
WIDE = {"ReduceL2", "ReduceSumSquare"}


def convert(model: onnx.ModelProto) -> onnx.ModelProto:
    """Returns `model` in FP16 with inputs and outputs in FP32, as Ultralytics writes it on a CPU.

    Reductions of attention layers that may overflow keep FP32, between two casts. `model` is used up.
    """
    from onnxruntime.transformers.float16 import convert_float_to_float16

    layers = attention_layers(model)
    wide = [node.name for node in model.graph.node if node.op_type in WIDE and layer_of(node.name, layers)]
    return convert_float_to_float16(model, keep_io_types=True, node_block_list=wide)
