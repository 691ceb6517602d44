"""What Ultralytics makes of a model dict: each row's stride, read off a model without data."""

import copy
from typing import Any

import torch
from ultralytics.nn import tasks

IMAGE_SIZE = 256


def strides(model: dict) -> list[int]:
    """Returns the stride in pixels of every row's output except the last row's, which is the head."""
    model = copy.deepcopy(model)
    if model.get("scales"):
        model.setdefault("scale", next(iter(model["scales"])))
    with torch.device("meta"):
        layers, save = tasks.parse_model(model, ch=3, verbose=False)
        x: Any = torch.zeros(1, 3, IMAGE_SIZE, IMAGE_SIZE)
        outputs: list[torch.Tensor] = []
        for layer in layers.eval()[:-1]:
            if layer.f != -1:
                x = outputs[layer.f] if isinstance(layer.f, int) else [x if j == -1 else outputs[j] for j in layer.f]
            x = layer(x)
            outputs.append(x)
    return [IMAGE_SIZE // output.shape[-1] for output in outputs]
