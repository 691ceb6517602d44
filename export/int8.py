"""INT8 of an exported file: the network quantized, the gates of attention and the head's decoding left in float."""

import re
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from yolo_attn.device.paths import layer_of
from yolo_attn.export.layers import attention_layers

GATE_CHANNELS = 8  # a convolution over space that reads fewer is a gate on pooled maps
FLOAT = {"Softmax", "MatMul"}  # self-attention of the base network
ZERO = 128  # of symmetric uint8


def quantize(file: Path, output: Path, calibration) -> None:
    """Writes the INT8 form of `file` for ONNX Runtime, calibrated with images.

    Quantize and dequantize nodes around each operation; activations are uint8 with the zero point 128 (symmetric),
    weights int8 with a scale for each output channel, biases in float.

    Args:
        file: The FP32 file.
        output: Where to write.
        calibration: An `onnxruntime.quantization.CalibrationDataReader`.
    """
    from onnxruntime.quantization import QuantType, quantize_static

    quantize_static(
        file,
        output,
        calibration,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        per_channel=True,
        nodes_to_exclude=float_nodes(onnx.load(file)),
        extra_options={"ActivationSymmetric": True, "WeightSymmetric": True, "QuantizeBias": False},
    )


def float_nodes(model: onnx.ModelProto) -> list[str]:
    """Returns the nodes that are not quantized, chosen by module path: a SiLU is a Sigmoid and a Mul, as a gate is.

    - The gates of attention. A gate is a factor on every value of the map, so its rounding is not averaged away, and a
      pooling makes few numbers out of many; both are cheap. Of an attention layer, convolutions over space alone are
      quantized, as GAM's 7×7.
    - In the head all but its `Conv` blocks: one scale over boxes of 640 pixels would round every score to 0, and the
      output convolutions and the box distribution (DFL) cost most accuracy for little time.
    """
    layers = attention_layers(model)
    weights = {tensor.name: tensor.dims for tensor in model.graph.initializer}
    head = max((row for node in model.graph.node if (row := _row(node)) is not None), default=None)

    def stays_float(node: onnx.NodeProto) -> bool:
        if layer_of(node.name, layers) is not None:
            if node.op_type != "Conv" or node.input[1] not in weights:
                return True
            _, inputs, *kernel = weights[node.input[1]]
            return inputs < GATE_CHANNELS or max(kernel) == 1
        in_head = _row(node) is None or _row(node) == head
        block = re.search(r"/(conv|act)/", node.name) and "/dfl/" not in node.name
        return node.op_type in FLOAT or (in_head and not block)

    return [node.name for node in model.graph.node if stays_float(node)]


def _row(node: onnx.NodeProto) -> int | None:
    found = re.search(r"/model\.(\d+)/", node.name)
    return int(found[1]) if found else None


def for_tensorrt(model: onnx.ModelProto) -> onnx.ModelProto:
    """Returns the INT8 model with activations in int8 around 0 instead of uint8 around 128: the same numbers.

    TensorRT takes no other zero point than 0. ONNX Runtime takes both; but on x86, where a tensor has several readers,
    it computes in integers for uint8 alone: in int8 a YOLO is slower there than in FP32.
    """
    spelled = onnx.ModelProto()
    spelled.CopyFrom(model)
    for tensor in spelled.graph.initializer:
        if tensor.data_type == onnx.TensorProto.UINT8 and (numpy_helper.to_array(tensor) == ZERO).all():
            tensor.CopyFrom(numpy_helper.from_array(np.zeros(tuple(tensor.dims), np.int8), tensor.name))
    return spelled
