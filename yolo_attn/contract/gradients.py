"""Gradients reach everything that learns, and are those of the forward pass."""

import torch
from torch import nn

from yolo_attn.contract.broken import Broken, Skipped, require, trying
from yolo_attn.contract.case import Case
from yolo_attn.contract.shapes import ODD, PIXEL

INPUT = "the input"
DRAWS = 3  # a narrow layer behind a ReLU may happen to be off: it is not in every draw of the weights
UNUSED = "use it in forward, without detach() and no_grad(), or make it a buffer: DDP stops at unused parameters"


def check_gradients_arrive(case: Case) -> None:
    """The input and every parameter get a finite gradient, and not zeros alone."""
    for size in case.taken([ODD, PIXEL]):
        idle = set.intersection(*(unreached(case, size, seed) for seed in range(DRAWS)))
        if size != PIXEL:  # there a kernel's outer taps see padding alone
            require(not idle, f"{', '.join(sorted(idle))} gets a gradient of zeros alone", UNUSED)


def unreached(case: Case, size: tuple[int, int], seed: int) -> set[str]:
    """Returns the names of what gets a gradient of zeros on maps of a size.

    Raises:
        Broken: Something gets none, or one that is not finite.
    """
    module, x = case.module(seed).train(), case.images(8, size).requires_grad_()
    with trying("backward", UNUSED):
        module(x.clone()).square().sum().backward()
    learning = {INPUT: x, **dict(module.named_parameters())}
    for key, value in learning.items():
        where = f"on a {size[0]}×{size[1]} map {key}"
        if value.grad is None:
            raise Broken(f"{where} gets no gradient", UNUSED)
        mend = "keep roots, logarithms and quotients off 0: add an eps within, or clamp"
        require(value.grad.isfinite().all(), f"{where} gets a gradient that is not finite", mend)
    return {key for key, value in learning.items() if not gradient(value).any()}


def check_gradients(case: Case) -> None:
    """Gradients are those of numerical differences, in double precision."""
    mend = "a Function's backward is the derivative of its forward; what forward detaches its class names in `detached`"
    for training in (False, True):
        module = case.module().double().train(training)
        started = {INPUT: case.images(size=(3, 5)).double(), **dict(module.named_parameters())}
        values = {key: value.detach().clone().requires_grad_() for key, value in started.items()}
        followed = [key for key in values if key.removeprefix("module.") not in detached(module)]
        try:
            module(values[INPUT])
        except Exception as error:  # which `check_dtypes` tells of
            raise Skipped("it does not compute in float64") from error
        with trying("gradcheck", mend):
            asked = [] if agree(module, values, followed) else followed
            wrong = [key for key in asked if not agree(module, values, [key])]
        mode = "training" if training else "evaluation"
        require(not wrong, f"in {mode} the gradient of {', '.join(wrong)} is not that of the forward pass", mend)


def detached(module: nn.Module) -> tuple[str, ...]:
    """Returns the parameters whose gradient is meant to be less than forward's, as the operator's class says."""
    return getattr(getattr(module, "original", type(module)), "detached", ())


def agree(module: nn.Module, values: dict[str, torch.Tensor], asked: list[str]) -> bool:
    """Tells whether autograd and numerical differences agree on those of the values that are asked for."""

    def forward(*given: torch.Tensor) -> torch.Tensor:
        torch.manual_seed(0)  # dropout draws the same each time
        state = values | dict(zip(asked, given, strict=True))
        x = state.pop(INPUT)
        return torch.func.functional_call(module, state, (x,))

    given = tuple(values[key] for key in asked)
    return torch.autograd.gradcheck(forward, given, fast_mode=True, raise_exception=False)


def gradient(value: torch.Tensor) -> torch.Tensor:
    """Returns the gradient that `value` got, zeros where none reached it."""
    return torch.zeros_like(value) if value.grad is None else value.grad
