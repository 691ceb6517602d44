"""No operator changes its input, whatever switches somebody turns on: Ultralytics sets `inplace` on all it loads."""

import torch
from torch import nn

from yolo_attn.contract.broken import require, trying
from yolo_attn.contract.case import Case
from yolo_attn.contract.gradients import gradient

FORMS = ("train", "eval", "deploy")
MEND = "write x * gate, not x.mul_(gate), and keep in-place activations off x: yolo_attn.nn.layers.ReLU has no switch"


def check_input(case: Case) -> None:
    """The input is as it was, in training and in evaluation."""
    for training in (True, False):
        x = case.images()
        with trying("forward", MEND), torch.no_grad():
            case.module().train(training)(x)
        require(torch.equal(x, case.images()), "forward writes into its input", MEND)


def check_inplace(case: Case) -> None:
    """Every `inplace` turned on changes no result, no gradient and no input."""
    for form in FORMS:
        for share in (None, 0.4):
            expected = step(formed(case, form, share), case.images())
            require(torch.equal(expected[-1], case.images()), f"its {form} form writes into its input", MEND)
            with trying("with inplace=True on its parts", MEND):
                got = step(switched_on(formed(case, form, share)), case.images())
            same = all(torch.equal(a, b) for a, b in zip(got, expected, strict=True))
            require(same, "inplace=True on its parts, which Ultralytics sets as it loads, changes the result", MEND)


def check_output_is_its_own(case: Case) -> None:
    """The output is no view of the input, into which the layer behind would write."""
    for form in FORMS:
        x = case.images()
        shared = formed(case, form)(x).untyped_storage().data_ptr() == x.untyped_storage().data_ptr()
        mend = "return a new tensor (x * gate); where nothing is to be done, x.clone()"
        require(not shared, "its output is its input or a view of it, and the layer behind may write into that", mend)


def formed(case: Case, form: str, share: float | None = None) -> nn.Module:
    """Returns the operator in one of the FORMS."""
    return case.deployed(share=share) if form == "deploy" else case.module(share=share).train(form == "train")


def switched_on(module: nn.Module) -> nn.Module:
    """Returns `module` as Ultralytics' `load_checkpoint` leaves it, and with the switch where it does not look."""
    for part in module.modules():
        part.inplace = True  # type: ignore[assignment]
    return module


def step(module: nn.Module, x: torch.Tensor) -> list[torch.Tensor]:
    """Returns the output, the gradients of input and parameters, every tensor that the step leaves behind, its input.

    What follows writes in place into the output, as Ultralytics' activations may.
    """
    given = x.requires_grad_().clone()  # a map of another layer's may be written into
    y = module(given)
    left = given.detach().clone()
    nn.functional.silu(y, inplace=True).square().sum().backward()
    learning = [x, *(parameter for parameter in module.parameters() if parameter.requires_grad)]
    return [y.detach(), *map(gradient, learning), *module.state_dict().values(), left]
