"""The networks that tests compare: each layer matters in them, and rounding does not."""

import copy

import numpy as np
import torch
from torch import nn
from ultralytics import YOLO

from tests.support.sensitive import images, sensitive
from yolo_attn.export.parity import error, errors, tensors
from yolo_attn.nn import Attention
from yolo_attn.tolerance import TOLERANCE

NAMES = ["yolov5n-cbam", "yolov8n-seg-gam", "yolo11n-cls-se"]
MORE = [
    "yolo12n-coordatt-head", "yolo26n-pose-eca-in-neck", "yolov9t-srm", "yolov10n-gct", "yolo11n-obb-triplet",
    "yolo26n-sem-bam", "yolov6n-gsop", "yolov3-tiny-encnet",
]  # fmt: skip


def pytest_generate_tests(metafunc):
    """`pytest --all` takes further networks."""
    if "name" in metafunc.fixturenames:
        metafunc.parametrize("name", NAMES + (MORE if metafunc.config.getoption("--all") else []))


def run(network: nn.Module, x: torch.Tensor) -> list[np.ndarray]:
    """Returns all that a network gives, the branches that only training needs among it."""
    with torch.inference_mode():
        return [y.numpy() for y in tensors(network(x))]


def weighed(network: nn.Module, x: torch.Tensor) -> dict[str, nn.Module]:
    """Returns the layers with weights that the network passes through."""
    found = {}
    hooks = [
        layer.register_forward_hook(lambda layer, *_, name=name: found.update({name: layer}))
        for name, layer in network.named_modules()
        if isinstance(layer, nn.Conv1d | nn.Conv2d | nn.ConvTranspose2d | nn.Linear) and not name.endswith("dfl.conv")
    ]
    run(network, x)
    for hook in hooks:
        hook.remove()
    return found


def test_every_layer_matters_and_rounding_does_not(name):
    """So each comparison by the table notices a convolution times 1.1 and a weight of attention times 1.01."""
    network = sensitive(YOLO(f"{name}.yaml").model)
    x = images(3, 128, torch.Generator().manual_seed(1))[[0, 1, -1]]  # two pictures and noise
    want = run(network, x)
    assert max(errors(want, run(copy.deepcopy(network).double(), x.double()), lists=False)) < TOLERANCE["float32"] / 3
    assert error(want[0][:1], want[0][1:2]) > 100 * TOLERANCE["float32"]

    attention = tuple(f"{path}." for path, module in network.named_modules() if isinstance(module, Attention))
    layers = weighed(network, x)
    assert attention and len(layers) > 20
    for name, layer in layers.items():
        weight = layer.weight.data
        layer.weight.data = weight * (1.01 if name.startswith(attention) else 1.1)
        assert max(errors(run(network, x), want, lists=False)) > TOLERANCE["float32"], name
        layer.weight.data = weight
