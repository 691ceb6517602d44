"""Tensors on CUDA, pretended: which device meets which, and what PyTorch would warn of, without a GPU."""

import contextlib
from collections.abc import Iterator
from unittest import mock

import torch
from torch import nn
from torch._subclasses import fake_tensor
from torch.utils._python_dispatch import TorchDispatchMode

from yolo_attn.contract.broken import Skipped, require, trying
from yolo_attn.contract.case import Case

# What PyTorch's list of operations without a deterministic form on CUDA has in its names.
WARN = (
    *("adaptive", "grid_sampl", "put", "scatter_reduce", "cumsum", "median", "histc", "bincount", "kthvalue"),
    *("upsample", "pad", "unpool", "fractional", "nll_loss", "_attention", "embedding_bag", "avg_pool3d"),
)


class Calls(TorchDispatchMode):
    """Collects the names of the operations that run while it is active."""

    def __init__(self):
        super().__init__()
        self.names = set()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.names.add(function.name())
        return function(*args, **(kwargs or {}))


def check_moves(case: Case) -> None:
    """Moved to another device, it computes there, and leaves no tensor behind."""
    mend = "a constant is a buffer, self.register_buffer('name', tensor), or is made in forward on x.device"
    with trying("moved to CUDA", mend):
        y = forward_on_cuda(case.module(), case.images())
        require(y.device.type == "cuda", f"moved to CUDA its output is on {y.device.type}", mend)


def check_deterministic_on_cuda(case: Case) -> None:
    """No operation of a training step is one that warns on CUDA with `deterministic=True`.

    Forward its tensors pretend to be on CUDA, where NonLocal takes another way; no backward pass runs on such, so that
    one is the CPU's.
    """
    with mock.patch.object(torch, "are_deterministic_algorithms_enabled", lambda: True):
        with Calls() as forward:
            forward_on_cuda(case.module().train(), case.images())
        y = case.module().train()(case.images().requires_grad_())
        with Calls() as backward:
            y.sum().backward()
    names = forward.names | {call for call in backward.names if "_attention" not in call}
    found = sorted(call for call in names if any(word in call for word in WARN))
    mend = "mean and amax are deterministic; adaptive pooling, interpolation and scatter are not"
    require(not found, f"{', '.join(found)} differ from run to run on CUDA, and training warns of it", mend)


def forward_on_cuda(module: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """Returns what the module makes of `x` were both on CUDA: a tensor without numbers."""
    with fake_tensor.FakeTensorMode(allow_non_fake_inputs=True), _numbers_unknown():
        tensors = [*module.named_parameters(), *module.named_buffers()]
        moved = {key: torch.empty(tensor.shape, dtype=tensor.dtype, device="cuda") for key, tensor in tensors}
        return torch.func.functional_call(module, moved, (torch.empty(x.shape, device="cuda"),))


@contextlib.contextmanager
def _numbers_unknown() -> Iterator[None]:
    try:
        yield
    except (fake_tensor.DataDependentOutputException, fake_tensor.DynamicOutputShapeException) as error:
        raise Skipped(f"its forward asks for the numbers of a tensor, by {error.func}") from error
