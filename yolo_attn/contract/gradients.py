"""Gradients reach everything that learns, and are those of the forward pass."""

import torch
from torch import nn

from yolo_attn.contract.broken import Broken, require, trying
from yolo_attn.contract.case import Case
from yolo_attn.contract.shapes import ODD, PIXEL

INPUT = "the input"


def check_gradients_arrive(case: Case) -> None:
    """The input and every parameter get a finite gradient, and not zeros alone."""
    unused = "use it in forward, without detach() and no_grad(), or make it a buffer: DDP stops at unused parameters"
    for size in case.taken([ODD, PIXEL]):
        module, x = case.module().train(), case.images(8, size).requires_grad_()
        with trying("backward", unused):
            module(x.clone()).square().sum().backward()
        for key, parameter in [*module.named_parameters(), (INPUT, x)]:
            where = f"on a {size[0]}×{size[1]} map {key}"
            if parameter.grad is None:
                raise Broken(f"{where} gets no gradient", unused)
            mend = "keep roots, logarithms and quotients off 0: add an eps within, or clamp"
            require(parameter.grad.isfinite().all(), f"{where} gets a gradient that is not finite", mend)
            if size != PIXEL:  # on a 1×1 map a kernel's outer taps see padding alone
                require(parameter.grad.abs().sum() > 0, f"{where} gets a gradient of zeros alone", unused)


def check_gradients(case: Case) -> None:
    """Gradients are those of numerical differences, in double precision."""
    mend = "backward of a torch.autograd.Function returns the derivative of its forward; or leave it to autograd"
    for training in (False, True):
        module = case.module().double().train(training)
        started = {INPUT: case.images(size=(3, 5)).double(), **dict(module.named_parameters())}
        values = {key: value.detach().clone().requires_grad_() for key, value in started.items()}
        with trying("gradcheck", mend):
            asked = [] if agree(module, values, list(values)) else values
            wrong = [key for key in asked if not agree(module, values, [key])]
        mode = "training" if training else "evaluation"
        require(not wrong, f"in {mode} the gradient of {', '.join(wrong)} is not that of the forward pass", mend)


def gradient(value: torch.Tensor) -> torch.Tensor:
    """Returns the gradient that `value` got, zeros where none reached it."""
    return torch.zeros_like(value) if value.grad is None else value.grad


def agree(module: nn.Module, values: dict[str, torch.Tensor], asked: list[str]) -> bool:
    """Tells whether autograd and numerical differences agree on those of the values that are asked for."""

    def forward(*given: torch.Tensor) -> torch.Tensor:
        torch.manual_seed(0)  # dropout draws the same each time
        state = values | dict(zip(asked, given, strict=True))
        x = state.pop(INPUT)
        return torch.func.functional_call(module, state, (x,))

    given = tuple(values[key] for key in asked)
    return torch.autograd.gradcheck(forward, given, fast_mode=True, raise_exception=False)
