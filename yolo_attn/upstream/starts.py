"""How each attention row starts where a model loads a source: as its weights were trained, as identity or as its paper.

Attention that receives nothing starts as the identity. Attention that receives weights goes on as what they were
trained to be: blended with 1 where they were, unblended where they were not. A row's own `start` prevails.
"""

import copy
from typing import Any, NamedTuple

import torch
from torch import nn
from ultralytics.utils import LOGGER

from yolo_attn.nn import Attention, Deployed
from yolo_attn.surgery.forms import normal
from yolo_attn.surgery.recipe import all_rows
from yolo_attn.surgery.rows import IDENTITY, PAPER, read_start, write_start
from yolo_attn.upstream.correspondence import Pairs, difference, fits, operators
from yolo_attn.upstream.fuse import replace
from yolo_attn.upstream.parse import start_as_identity


class Starts(NamedTuple):
    """What was decided, by rows.

    Attributes:
        fresh: How many tensors of attention receive nothing.
        identity: Rows that were made to start as the identity.
        paper: Rows that start as their papers do, as they say.
        deployed: Rows that go on in the deploy form of a fused source.
        differing: Rows whose attention is new because the source's has other options, and which.
        same_output: Whether attention does to the output what the source's does to its own.
    """

    fresh: int
    identity: list[int]
    paper: list[int]
    deployed: list[int]
    differing: dict[int, str]
    same_output: bool


def reconcile_starts(model: Any, source: nn.Sequential, pairs: Pairs) -> Starts:
    """Decides how each attention row of `model` starts, makes it so, and returns what was decided."""
    deployed = keep_deployed(model.model, source, pairs)
    rows = all_rows(normal(model.yaml)[0])
    fresh, identity, paper, differing = 0, [], [], {}
    unpaired = sum(len(operators(layer)) for layer in source)  # of the source's attention
    same_output = True
    for i, layer in enumerate(model.model):
        theirs = operators(source[pairs[i]]) if i in pairs else {}
        found = [(mine, theirs.get(name)) for name, mine in operators(layer).items()]
        new = [mine for mine, other in found if not fits(mine, other)]
        going_on = [(mine, other) for mine, other in found if mine not in new]
        unpaired -= len(going_on)
        if reasons := {difference(mine, other) for mine, other in found if other is not None and mine in new} - {""}:
            differing[i] = "; ".join(sorted(reasons))
        blended = any(is_blended(other) for _, other in going_on)
        start = read_start(rows[i]) if found else None
        startable = any(isinstance(mine, Attention) for mine in new)  # in its deploy form it stays as it is
        if start is None and (startable or blended):
            model.yaml = with_start(model.yaml, i, IDENTITY)
            start_as_identity(model.model, [i], verbose=False)
            if startable:
                identity.append(i)
        elif start == PAPER and new:
            paper.append(i)
        elif start == PAPER and blended:
            same_output = False
            LOGGER.warning(
                f"yolo_attn: row {i} says {{start: paper}}, but its weights were trained from {{start: identity}}"
            )
        for own, other in going_on:
            if is_blended(own) and not is_blended(other):
                nn.init.ones_(own.blend)  # type: ignore[arg-type]
                fresh += 1
        fresh += sum(len(mine.state_dict()) for mine in new)
        same_output = same_output and all(map(is_identity, new))
    return Starts(fresh, identity, paper, deployed, differing, same_output and not unpaired)


def is_identity(operator: Any) -> bool:
    """Tells whether an operator changes nothing."""
    if isinstance(operator, Deployed):
        return False
    like, was_training = next(operator.parameters()), operator.training
    x = torch.linspace(-1, 1, operator.channels * 6).view(1, -1, 2, 3).to(like)
    with torch.no_grad():
        same = torch.equal(operator.eval()(x.clone()), x)
    operator.train(was_training)
    return same


def is_blended(operator: Any) -> bool:
    """Tells whether an operator is blended with 1, after an identity start."""
    return getattr(operator, "blend", None) is not None


def keep_deployed(layers: nn.Sequential, source: nn.Sequential, pairs: Pairs) -> list[int]:
    """Takes attention that the source has in its deploy form over in that form, in place, and returns the rows.

    Folded as it is, it cannot be turned back; but it is the same function, and trains on.
    """
    kept = set()
    for i, j in pairs.items():
        theirs = operators(source[j])
        for name, mine in operators(layers[i]).items():
            other: Any = theirs.get(name)
            if not isinstance(other, Deployed) or not isinstance(mine, Attention):
                continue
            if not difference(mine, other):
                deployed = copy.deepcopy(other).to(mine.like()).requires_grad_(True)
                path, _, last = f"{i}.{name}".removesuffix(".").rpartition(".")
                replace(layers.get_submodule(path), last, deployed.train(mine.training))
                kept.add(i)
    return sorted(kept)


def with_start(rows: dict, i: int, start: str) -> dict:
    """Returns a copy of a model dict whose row `i` says `start`: a model built from it has the same parameters."""
    rows, _ = normal(rows)
    write_start(all_rows(rows)[i], start)
    return rows
