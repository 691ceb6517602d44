"""What equations are written out with, in NumPy, and how operators are compared with them."""

from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from tests.support.operators import assert_close, make


class Slow:
    """The layers an equation is made of, in loops over float64 arrays, with the parameters of `module`, by name."""

    def __init__(self, module: nn.Module):
        self.module = module
        self.values = {name: value.detach().numpy() for name, value in module.state_dict().items()}

    def __getitem__(self, name: str) -> np.ndarray:
        return self.values[name]

    def conv(self, x: np.ndarray, name: str, dilation: int = 1) -> np.ndarray:
        """A convolution that keeps the map's size: zero padding, no groups."""
        weight, bias = self[f"{name}.weight"], self.values.get(f"{name}.bias")
        n, _, height, width = x.shape
        out, inputs, kh, kw = weight.shape
        y = np.zeros((n, out, height, width))
        for b, o, h, w in np.ndindex(y.shape):
            total = 0.0 if bias is None else bias[o]
            for i, j in np.ndindex(kh, kw):
                row, column = h + (i - kh // 2) * dilation, w + (j - kw // 2) * dilation
                if 0 <= row < height and 0 <= column < width:
                    total += sum(weight[o, c, i, j] * x[b, c, row, column] for c in range(inputs))
            y[b, o, h, w] = total
        return y

    def norm(self, x: np.ndarray, name: str) -> np.ndarray:
        """A batch norm over dimension 1, by its batch in training and by the running statistics in evaluation."""
        layer = self.module.get_submodule(name)
        y = np.empty_like(x)
        for c in range(x.shape[1]):
            mean, variance = self[f"{name}.running_mean"][c], self[f"{name}.running_var"][c]
            if self.module.training:
                mean, variance = x[:, c].mean(), ((x[:, c] - x[:, c].mean()) ** 2).mean()
            y[:, c] = (x[:, c] - mean) / np.sqrt(variance + layer.eps) * self[f"{name}.weight"][c]
            y[:, c] += self[f"{name}.bias"][c]
        return y


def relu(x: np.ndarray) -> np.ndarray:
    return np.where(x > 0, x, 0.0)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def softmax(x: np.ndarray) -> np.ndarray:
    """Over the last dimension."""
    weights = np.exp(x - x.max(-1, keepdims=True))
    return weights / weights.sum(-1, keepdims=True)


def bins(length: int, count: int) -> list[slice]:
    """The bins of adaptive average pooling: bin i from ⌊i · length / count⌋ to ⌈(i + 1) · length / count⌉."""
    return [slice(i * length // count, -(-(i + 1) * length // count)) for i in range(count)]


def compare(cls: type, options: dict, slow: Callable, shape: tuple[int, ...], training: bool) -> None:
    """Compares an operator, and in evaluation its deploy form, with its equation, in float64 on a map of `shape`."""
    module = make(cls.__name__, options, shape[1]).double().train(training)
    x = torch.randn(shape, dtype=torch.float64)
    expected = torch.from_numpy(slow(module, x.numpy()))
    with torch.no_grad():
        assert_close(module(x), expected, "float64")
        if not training:
            assert_close(module.deploy()(x), expected, "float64")


def check_gradients(cls: type, options: dict, training: bool) -> None:
    """Compares the gradients of the map and of every parameter with numerical differences."""
    module = make(cls.__name__, options, 4).double().train(training)
    parameters = dict(module.named_parameters())

    def forward(x, *values):
        return torch.func.functional_call(module, dict(zip(parameters, values, strict=True)), (x,))

    x = torch.randn(2, 4, 3, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(forward, (x, *parameters.values()), fast_mode=True)
