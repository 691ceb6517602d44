"""A module goes through copies and files: the moving average's, checkpoints, processes."""

import copy
import io
import pickle

import torch

from yolo_attn.contract.broken import require, require_close, trying
from yolo_attn.contract.case import Case


def check_copies(case: Case) -> None:
    """A copy of it in training, as Ultralytics' moving average takes, is the same."""
    mend = "keep no result of forward as an attribute of self; if it must be, detach() it"
    module = case.module().train()
    module(case.images())
    with trying("copying it after a training step", mend):
        twin = copy.deepcopy(module)
    require_close(twin.eval()(case.images()), module.eval()(case.images()), "its copy differs", mend)
    kept = [
        f"{path}.{key}".lstrip(".")
        for path, part in module.named_modules()
        for key, value in vars(part).items()
        if isinstance(value, torch.Tensor)
    ]
    mend = f"{mend}; a constant is a buffer"
    require(not kept, f"{', '.join(kept)} is a tensor, but no parameter and no buffer", mend)


def check_pickle(case: Case) -> None:
    """A checkpoint holds it, and its deploy form, and gives back the same."""
    mend = "checkpoints pickle the module: write functions and classes at the top of their file, no lambda on self"
    for module in (case.module(), case.deployed()):
        with trying("pickling it", mend):
            read = pickle.loads(pickle.dumps(module))
            require(torch.equal(read(case.images()), module(case.images())), "what a pickle gives back differs", mend)


def check_state_dict(case: Case) -> None:
    """Its state dict is all it has learnt, and that of its deploy form."""
    mend = "what is learnt or counted is a parameter or a buffer, not a plain attribute"
    for build in (case.module, case.deployed):
        module, other = build(), build(seed=5)
        with trying("saving its state dict and loading it", mend):
            file = io.BytesIO()
            torch.save(module.state_dict(), file)
            file.seek(0)
            other.load_state_dict(torch.load(file, weights_only=True))
            same = torch.equal(other(case.images()), module(case.images()))
        require(same, "another one with its state dict gives other numbers", mend)
