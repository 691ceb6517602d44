"""A start as the identity: nothing changes at step 0, all learns from then on, and a share of 1 is the paper's form."""

import contextlib
import copy

import torch

from yolo_attn.contract.broken import Broken, Skipped, require, require_close, trying
from yolo_attn.contract.case import Case, deployed
from yolo_attn.contract.deploy import EQUAL
from yolo_attn.contract.gradients import DRAWS
from yolo_attn.contract.precision import HALVES, name

SOME = 0.3  # a share of the gates, between the base and the paper
MOST_STEPS = 2  # until everything learns; a weight that starts at 0 holds back what stands before it


def check_identity(case: Case) -> None:
    """Started as the identity, it hands on the map to the bit, in every precision."""
    mend = "the start is x + a · (f(x) − x) with a = 0: name the gates in `gates`, or leave forward to Attention"
    for training in (False, True):
        same = torch.equal(started(case).train(training)(case.images()), case.images())
        require(same, "started as the identity it changes the map", mend)
    for dtype in HALVES:
        x = case.images().to(dtype)
        with torch.autocast("cpu", dtype):
            y = started(case).eval()(x)
        same = y.dtype == dtype and torch.equal(y, x)
        require(same, f"started as the identity it changes the map under autocast to {name(dtype)}", mend)


def check_training(case: Case) -> None:
    """A few steps of training reach every parameter, and leave finite numbers."""
    steps_until_all_learn(case, None)


def check_training_from_identity(case: Case) -> None:
    """Steps from an identity start reach every parameter, the share first."""
    steps_until_all_learn(case, 0.0)


def steps_until_all_learn(case: Case, share: float | None) -> int:
    """Returns how many steps of SGD it takes until every parameter has a gradient.

    Raises:
        Broken: More than two, however the weights are drawn, or something is not finite.
    """
    for seed in range(DRAWS - 1):
        with contextlib.suppress(Broken):
            return _steps(case, share, seed)
    return _steps(case, share, DRAWS - 1)


def _steps(case: Case, share: float | None, seed: int) -> int:
    mend = "start its weights off 0, and use every parameter in forward"
    module, x, target = case.fresh(share, seed).train(), case.images(8), case.images(8, seed=2)
    if not list(module.parameters()):
        raise Skipped("it has no parameters")
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    for taken in range(MOST_STEPS + 1):
        optimizer.zero_grad()
        with trying("a training step", mend):
            loss = (module(x) - target).square().mean()
            loss.backward()
        what = f"after {taken} training steps its loss is not finite"
        require(loss.isfinite(), what, "keep its output of x's magnitude")
        idle = [key for key, p in module.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
        learns = len(idle) < sum(1 for _ in module.parameters())
        require(learns, "at the first training step no parameter has a gradient", mend)
        if taken == 0 and share is not None and module.blend is not None:
            moves = module.blend.grad is not None and (module.blend.grad != 0).all()
            require(moves, "started as the identity, its share has no gradient", mend)
        if not idle:
            return taken
        optimizer.step()
    raise Broken(f"after {MOST_STEPS} training steps {', '.join(idle)} has no gradient yet", mend)


def check_share_of_one(case: Case) -> None:
    """With a share of 1 it is as without an identity start."""
    blended, plain = started(case, 1.0).eval(), case.fresh().eval()
    plain.load_state_dict({key: value for key, value in blended.state_dict().items() if key != "blend"})
    mend = "start_as_identity() adds the share and changes nothing else"
    what = "with a share of 1 it differs from its paper's form"
    require_close(blended(case.images()), plain(case.images()), what, mend)


def check_identity_deploys(case: Case) -> None:
    """After an identity start, too, deploy form, gate and copy agree with it."""
    module, x = started(case, SOME).eval(), case.images()
    with trying("after an identity start", EQUAL):
        form, twin = deployed(module), copy.deepcopy(module)
        require_close(form(x), module(x), "after an identity start the deploy form differs", EQUAL)
    require(not any(p.requires_grad for p in form.parameters()), "the deploy form can be trained", EQUAL)
    if module.gates:
        require_close(x * module.gate(x), module(x), "after an identity start gate(x) times x is not forward(x)", EQUAL)
    said = ("start=identity" in module.describe()) == (module.blend is not None)
    require(said, f"it describes itself as {module.describe()}", "leave extra_repr() to Attention")
    require(torch.equal(twin(x), module(x)), "after an identity start its copy differs", EQUAL)


def started(case: Case, share: float = 0.0):
    """Returns the operator started as the identity, then blended; in training.

    Raises:
        Skipped: It has no such start.
    """
    module = case.fresh(share)
    if module.blend is None and not module.starts_as_identity:
        raise Skipped("it has no identity start")
    return module
