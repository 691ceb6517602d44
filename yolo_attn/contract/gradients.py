"""Gradients reach everything that learns, and are those of the forward pass."""

import torch
from torch import nn

from yolo_attn.contract.broken import require, trying
from yolo_attn.contract.case import Case


def check_gradients_arrive(case: Case) -> None:
    """Every parameter and the input get a finite gradient, which is nowhere nothing but zeros."""
    unused = "use it in forward, without detach() and no_grad(), or make it a buffer: DDP stops at unused parameters"
    for size in ((7, 13), (1, 1)):
        module, x = case.module().train(), case.images(8, size).requires_grad_()
        with trying("backward", unused):
            module(x).square().sum().backward()
        for key, parameter in [*module.named_parameters(), ("the input", x)]:
            where = f"on a {size[0]}×{size[1]} map {key}"
            require(parameter.grad is not None, f"{where} gets no gradient", unused)
            finite = parameter.grad is not None and parameter.grad.isfinite().all()
            mend = "keep roots, logarithms and quotients off 0: add an eps within, or clamp"
            require(finite, f"{where} gets a gradient that is not finite", mend)
            if size != (1, 1):  # on a 1×1 map a kernel's outer taps see padding alone
                require(parameter.grad.abs().sum() > 0, f"{where} gets a gradient of zeros alone", unused)


def check_gradients(case: Case) -> None:
    """Gradients of input and parameters are those that numerical differences give, in double precision."""
    mend = "backward of a torch.autograd.Function returns the derivative of its forward; or leave it to autograd"
    for training in (False, True):
        module = case.module().double().train(training)
        names, parameters = zip(
            ("the input", case.images(size=(3, 5)).double()), *module.named_parameters(), strict=True
        )
        values = [value.detach().clone().requires_grad_() for value in parameters]
        with trying("gradcheck", mend):
            wrong = (
                []
                if agree(module, names, values, names)
                else [n for n in names if not agree(module, names, values, [n])]
            )
        mode = "training" if training else "evaluation"
        require(not wrong, f"in {mode} the gradient of {', '.join(wrong)} is not that of the forward pass", mend)


def agree(module: nn.Module, names: tuple[str, ...], values: list[torch.Tensor], asked) -> bool:
    """Tells whether autograd and numerical differences agree on the inputs `asked`."""

    def forward(*given: torch.Tensor) -> torch.Tensor:
        torch.manual_seed(0)  # dropout draws the same each time
        state = dict(zip(names, values, strict=True)) | dict(zip(asked, given, strict=True))
        return torch.func.functional_call(module, state, (state.pop("the input"),))

    given = tuple(value for name, value in zip(names, values, strict=True) if name in asked)
    return torch.autograd.gradcheck(forward, given, fast_mode=True, raise_exception=False)
