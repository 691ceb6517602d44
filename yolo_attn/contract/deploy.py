"""The form for inference is the operator itself, folded, and made without touching it."""

import torch

from yolo_attn.contract.broken import Skipped, require, require_close, trying
from yolo_attn.contract.case import NORMS, Case, deployed
from yolo_attn.contract.shapes import SIZES
from yolo_attn.errors import AttentionError
from yolo_attn.nn import Attention

EQUAL = "deploy() and deploy_gates() compute what forward does in evaluation; batch norms are folded by layers.fold"


def check_deploy_equals(case: Case) -> None:
    """The deploy form gives the same numbers, and has nothing left to train."""
    module = case.module()
    with trying("deploy()", EQUAL):
        form = deployed(module)
        for size in case.taken(SIZES):
            x = case.images(size=size)
            require_close(form(x), module(x), f"on {size[0]}×{size[1]} the deploy form differs", EQUAL)
    learns = [key for key, parameter in form.named_parameters() if parameter.requires_grad]
    mend = "deploy() ends in .requires_grad_(False)"
    require(not learns, f"{', '.join(learns)} of the deploy form can be trained", mend)


def check_deploy_is_folded(case: Case) -> None:
    """No attention and no batch norm is left in the deploy form, and it says what it was."""
    module = case.module()
    form = deployed(module)
    written = getattr(module, "original", type(module))
    if module.registered and any(isinstance(part, written) for part in form.modules()):
        raise Skipped("its deploy form is itself")
    left = [key or "itself" for key, part in form.named_modules() if isinstance(part, (Attention, NORMS))]
    require(not left, f"{', '.join(left)} of the deploy form is not folded", "fold(conv, norm) of yolo_attn.nn.layers")
    says = getattr(form, "source", None)
    require(says == module.describe(), f"the deploy form's source is {says!r}", "give it source=self.describe()")


def check_deploy_leaves_the_operator(case: Case) -> None:
    """The deploy form shares no tensor with the operator, which is left as it was."""
    module = case.module().train()
    before = {key: value.clone() for key, value in module.state_dict().items()}
    form = deployed(module)
    with torch.no_grad():
        for parameter in form.parameters():
            parameter.zero_()
    mend = "deploy() works on copy.deepcopy(self)"
    require(module.training, "deploy() puts the operator itself into evaluation", mend)
    changed = [key for key, value in module.state_dict().items() if not torch.equal(before[key], value)]
    require(not changed, f"the deploy form shares {', '.join(changed)} with the operator", mend)


def check_gate(case: Case) -> None:
    """The gate is what the map is multiplied by, or said not to be there."""
    module, x = case.module(), case.images()
    if module.gates:
        require_close(x * module.gate(x), module(x), "gate(x) times x is not forward(x)", "a gate is a factor of x")
        return
    try:
        module.gate(x)
    except AttentionError as error:
        require("it has no gate" in str(error), f"gate() says '{error}'", "leave gate() to Attention")
    else:
        require(False, "it has no gates, and gate() gives one", "name its gates in `gates`")


def check_description(case: Case) -> None:
    """It says its name, channels and options."""
    mend = "keep every option of the constructor as an attribute of the same name"
    with trying("describe()", mend):
        text = case.module().describe()
    require(text.startswith(f"{case.info.cls.__name__}({case.channels}"), f"it calls itself {text}", mend)
    missing = [f"{key}={value}" for key, value in case.options.items() if f"{key}={value}" not in text]
    require(not missing, f"{text} does not say {', '.join(missing)}", mend)
