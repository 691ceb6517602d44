"""The attention layers that an exported file says it has."""

import onnx

from yolo_attn.device.paths import KEY, described


def attention_layers(model: onnx.ModelProto) -> dict[str, str]:
    """Returns each attention layer's module path and its options, as the exporter wrote them into the metadata.

    For instance `{"model.9": "GAM(256, reduction=4)"}`; empty for a model without attention.
    """
    return described(next((entry.value for entry in model.metadata_props if entry.key == KEY), ""))
