"""A training step and inference can be traced into one graph, by torch.compile and torch.export."""

import torch

from yolo_attn.contract.broken import require, require_close, trying
from yolo_attn.contract.case import Case
from yolo_attn.contract.gradients import gradient

MEND = "no Python `if`, float(), int() or .item() on the numbers of a map: torch.where chooses in the graph"


def check_export(case: Case) -> None:
    """torch.export reads it, and its deploy form, and gives the same numbers."""
    for module in (case.module(), case.deployed()):
        with trying("torch.export", MEND):
            program = torch.export.export(module, (case.images(),))
            got = program.module()(case.images())
        require_close(got, module(case.images()), "what torch.export reads differs", MEND)


def check_compile(case: Case) -> None:
    """A training step, channels last, compiles into one graph."""
    received, steps = case.images(seed=2), []
    for compiled in (False, True):
        module, x = case.module().train(), case.images().contiguous(memory_format=torch.channels_last).requires_grad_()
        torch._dynamo.reset()
        with trying("torch.compile", MEND):
            y = (torch.compile(module, fullgraph=True, backend="aot_eager") if compiled else module)(x)
            y.backward(received)
        laid = y.is_contiguous(memory_format=torch.channels_last)
        require(laid, "a map laid out channels last comes out laid out otherwise in training", MEND)
        steps.append([y, *(gradient(value) for value in (x, *module.parameters()))])
    for got, want in zip(*steps, strict=True):
        require_close(got, want, "compiled, a training step differs", MEND)
