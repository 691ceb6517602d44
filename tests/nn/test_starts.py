"""How each operator starts, where its authors' training code draws its weights: theirs, before any training."""

import math

import pytest
import torch
from torch import nn
from ultralytics.utils.torch_utils import initialize_weights

from yolo_attn.nn import BAM, CBAM, LSKA, CoordAtt, GSoP, NonLocal, TripletAttention

C, HIDDEN = 256, 16
LINEAR = "torch's linear"


def fan_out(kernel: int, outputs: int) -> float:
    return math.sqrt(2 / (kernel * outputs))


# The deviation of each convolution's weights, or that they start as torch's linear layers do.
STARTS: list[tuple[type[nn.Module], dict, dict]] = [
    (CBAM, {}, {
        "channel_attention.mlp.0": LINEAR, "channel_attention.mlp.2": LINEAR, "spatial_attention.conv": fan_out(49, 1),
    }),
    (BAM, {}, {
        "bottleneck_attention.channel.1": LINEAR, "bottleneck_attention.channel.4": LINEAR,
        "bottleneck_attention.spatial.0": fan_out(1, HIDDEN), "bottleneck_attention.spatial.3": fan_out(9, HIDDEN),
        "bottleneck_attention.spatial.6": fan_out(9, HIDDEN), "bottleneck_attention.spatial.9": fan_out(1, 1),
    }),
    (TripletAttention, {}, {f"{plane}.conv.conv": fan_out(49, 1) for plane in ("cw", "hc", "hw")}),
    (TripletAttention, {"kernel_size": 3}, {f"{plane}.conv.conv": fan_out(9, 1) for plane in ("cw", "hc", "hw")}),
    (CoordAtt, {}, {"conv1": fan_out(1, 8), "conv_h": fan_out(1, C), "conv_w": fan_out(1, C)}),
    (GSoP, {}, {
        "second_order_attention.reduce.1": fan_out(1, 128), "second_order_attention.excite.1": fan_out(128, 512),
        "second_order_attention.excite.2": fan_out(1, C),
    }),
    (GSoP, {"position": True}, {
        "second_order_attention.reduce.1": fan_out(1, 128), "second_order_attention.excite.1": fan_out(64, 256),
        "second_order_attention.excite.3": fan_out(1, 64),
    }),
    (NonLocal, {}, dict.fromkeys(("theta", "phi", "g", "out"), 0.01)),
    (LSKA, {"kernel_size": 11}, {
        "conv0h": fan_out(3, 1), "conv0v": fan_out(3, 1), "conv_spatial_h": fan_out(5, 1),
        "conv_spatial_v": fan_out(5, 1), "conv1": fan_out(1, C),
    }),
]  # fmt: skip
ZERO_GATES = {CBAM: "spatial_attention.norm", TripletAttention: "hw.conv.bn", NonLocal: "norm"}
every_start = pytest.mark.parametrize(
    ("cls", "options", "deviations"), STARTS, ids=[f"{cls.__name__} {options or ''}" for cls, options, _ in STARTS]
)


def built(cls: type[nn.Module], options: dict) -> list[nn.Module]:
    """Returns many of one operator as a network has them; few numbers would not tell a distribution."""
    torch.manual_seed(0)
    modules = [cls(C, **options) for _ in range(40)]
    initialize_weights(nn.Sequential(*modules))
    return modules


@every_start
def test_weights_are_drawn_as_the_authors_draw_them(cls, options, deviations):
    modules = built(cls, options)
    convolutions = [name for name, m in modules[0].named_modules() if isinstance(m, nn.Conv2d)]
    assert convolutions == list(deviations)
    for name, deviation in deviations.items():
        weights = torch.stack([module.get_submodule(name).weight for module in modules])
        if deviation == LINEAR:
            bound = weights[0][0].numel() ** -0.5
            assert weights.abs().max() <= bound
            deviation = bound / math.sqrt(3)
        else:
            assert weights.abs().max() > 2.5 * deviation  # a normal distribution
        assert weights.std().item() == pytest.approx(deviation, rel=0.05), name
        assert abs(weights.mean().item()) < 0.2 * deviation


@every_start
def test_biases_and_batch_norms(cls, options, deviations):
    module = built(cls, options)[0]
    for name, part in module.named_modules():
        if isinstance(part, nn.Conv2d) and part.bias is not None:
            assert (part.bias == 0).all() == (cls is not GSoP), name
        if isinstance(part, nn.BatchNorm2d):
            start = 0.0 if name == ZERO_GATES.get(cls) else 1.0
            assert (part.weight == start).all() and (part.bias == 0).all(), name
            assert part.eps == 1e-5 and part.momentum == (0.01 if cls in (CBAM, TripletAttention) else 0.1)


@pytest.mark.parametrize("cls", [CBAM, TripletAttention])
def test_the_spatial_gate_is_a_half_at_first(cls):
    module, x = built(cls, {})[0].eval(), torch.randn(2, C, 5, 7)
    gate = module.spatial_attention(x) if cls is CBAM else module.hw(x)
    assert torch.equal(gate, torch.full((2, 1, 5, 7), 0.5))


def test_triplet_without_a_spatial_gate_has_none_to_start():
    module = TripletAttention(C, spatial=False)
    assert all((part.weight == 1).all() for part in module.modules() if isinstance(part, nn.BatchNorm2d))


@pytest.mark.parametrize("cls", [CBAM, TripletAttention])
def test_an_identity_start_leaves_no_gate_constant(cls):
    module = cls(C)
    module.start_as_identity()
    assert all((part.weight == 1).all() for part in module.modules() if isinstance(part, nn.BatchNorm2d))
