"""Attention that was trained for INT8: ModelOpt puts quantizers beside the layers' weights, by this name."""

import copy

import torch
from torch import nn

from tests.support.sensitive import sensitive
from tests.support.tiny import build, detector
from yolo_attn.nn import Attention, Deployed


class TensorQuantizer(nn.Module):
    """Stands for ModelOpt's: a range, and rounding to 255 steps within it."""

    def __init__(self):
        super().__init__()
        self.register_buffer("_amax", torch.tensor(4.0))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        step = self._amax / 127
        return (x / step).round().clamp(-127, 127) * step


def quantized(model: nn.Module, *rows: int) -> nn.Module:
    """Returns `model` with a quantizer before each convolution of the attention in `rows`."""
    for row in rows:
        for conv in [m for m in model.model[row].modules() if isinstance(m, nn.Conv2d)]:
            conv.input_quantizer = TensorQuantizer()
            conv.register_forward_pre_hook(lambda conv, inputs: conv.input_quantizer(inputs[0]))
    return model


ROWS = detector((0, ["CBAM", [{"reduction": 4}]]), (1, ["SE", [{"reduction": 4}]]))


def test_fuse_leaves_it_as_it_was_trained():
    model = quantized(sensitive(build(ROWS)), 1)
    x = torch.randn(1, 8, 8, 8, generator=torch.Generator().manual_seed(0))
    want = model.model[1](x)
    assert not torch.allclose(want, sensitive(build(ROWS)).model[1](x))  # the quantizers count
    fused = copy.deepcopy(model).fuse(verbose=False)
    assert isinstance(fused.model[1], Attention) and isinstance(fused.model[3], Deployed) and fused.is_fused()
    assert torch.equal(fused.model[1](x), want)


def test_a_resumed_training_takes_its_weights_up(log):
    """It builds the model without quantizers, loads, and quantizes afterwards."""
    source, model = quantized(sensitive(build(ROWS)), 1, 3), build(ROWS)
    model.load(source)
    attention = sum(len(model.model[row].state_dict()) for row in (1, 3))
    assert f"base tensors, {attention} of attention" in log.text and "new" not in log.text
    for row in (1, 3):
        assert all(torch.equal(v, source.model[row].state_dict()[k]) for k, v in model.model[row].state_dict().items())
