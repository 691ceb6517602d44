"""Seam: pretrained weights follow their layers, wherever attention was put in.

Ultralytics' `load` copies tensors whose key and shape agree. A row put in shifts the number in every later key,
`model.9.…`, so most of the weights stay behind, and a key that agrees by chance receives another layer's. Here the
source is laid out as the model that loads it, and the original `load` copies:

    base row      0  1  2  …              the k-th row that is no attention corresponds to the k-th such row, where
    source        0  1  2     3           both layers are of one class, or one class derives from the other;
    this model    0  1  2  A  4           attention corresponds to the same operator on the same base row's output.

Of a base row of another class, and of other attention, nothing is copied. A model without attention that loads one
without takes the original path.

Attention that received no weights beside those that did starts as the identity, unless its row says `{start: paper}`.
"""

import copy
import functools
import logging
import re
from typing import Any

import torch
from torch import nn
from ultralytics.nn import tasks
from ultralytics.nn.tasks import BaseModel
from ultralytics.utils import LOGGER

from yolo_attn.errors import AttentionError
from yolo_attn.nn import Attention
from yolo_attn.surgery.rows import IDENTITY, PAPER, read_start, write_start
from yolo_attn.upstream.correspondence import base_tensors, corresponding, fits, is_attention_row, laid_out, operators
from yolo_attn.upstream.parse import rows_text, start_as_identity

_load = BaseModel.load


@functools.wraps(_load)
def load(self, weights, verbose=True):
    source = (weights.get("ema") or weights["model"]) if isinstance(weights, dict) else weights
    layers: list[Any] = [getattr(model, "model", None) for model in (self, source)]
    if not all(isinstance(s, nn.Sequential) for s in layers) or not any(map(operators, layers)):
        _load(self, weights, verbose)
        return
    pairs = corresponding(*layers)
    if verbose and (others := [i for i, layer in enumerate(self.model) if i not in pairs and base_tensors(layer)]):
        LOGGER.warning(f"yolo_attn: nothing is transferred to {rows_text(others)}: the source has another module there")
    fresh = reconcile_starts(self, source.model, pairs, verbose)
    source.float()  # as the original does to the whole source, of which it sees a part
    view = laid_out(source, self.model, pairs)
    with _Transferred(verbose) as transferred:
        _load(self, view)
    follow(self, view)
    take_names(self, view)
    if verbose and transferred.items is not None:
        base = sum(map(base_tensors, self.model))
        attention = len(self.model.state_dict()) - base - fresh
        text = f"Transferred {transferred.items - attention}/{base} base tensors"
        text += f", {attention} of attention" if attention else ""
        LOGGER.info(f"yolo_attn: {text}{f', {fresh} new' if fresh else ''}")


class _Transferred(logging.Filter):
    """Takes the number out of the original's line "Transferred 120/439 items", which counts attention as missing.

    The line itself is not shown, nor are others unless `verbose`.
    """

    def __init__(self, verbose: bool):
        super().__init__()
        self.verbose = verbose
        self.items: int | None = None

    def filter(self, record: logging.LogRecord) -> bool:
        if found := re.match(r"Transferred (\d+)/\d+ items", str(record.msg)):
            self.items = int(found[1])
        return self.verbose and not found

    def __enter__(self) -> "_Transferred":
        LOGGER.addFilter(self)
        return self

    def __exit__(self, *_) -> None:
        LOGGER.removeFilter(self)


def follow(model: Any, view: Any) -> None:
    """Lets attention whose tensors came along take over what is no tensor, too."""
    for layer, source in zip(model.model, view.model, strict=True):
        theirs = operators(source)
        for name, mine in operators(layer).items():
            if isinstance(mine, Attention) and name in theirs:
                mine.follow(theirs[name])


def take_names(model: Any, view: Any) -> None:
    """Gives `model` the source's class names where the original does: if it has none and every base tensor came along.

    The original counts the tensors of attention, too, so that it never sees all of them come.
    """
    names, theirs = getattr(view, "names", None) or {}, view.state_dict()
    own = {f"model.{i}.{name}." for i, layer in enumerate(model.model) for name in operators(layer)}
    own = {prefix.replace("..", ".") for prefix in own}
    base = {key: tensor for key, tensor in model.state_dict().items() if not key.startswith(tuple(own))}
    complete = all(key in theirs and theirs[key].shape == tensor.shape for key, tensor in base.items())
    if complete and not hasattr(model, "set_classes") and model.names == {i: str(i) for i in range(len(names))}:
        model.names = dict(names)


def reconcile_starts(model: Any, source: nn.Sequential, pairs: dict[int, int], verbose: bool) -> int:
    """Decides how each attention row of `model` starts, and returns how many of its tensors receive nothing.

    Attention that receives nothing starts as the identity. Attention that receives weights goes on as what they were
    trained to be: blended with 1 where they were, unblended where they were not. A row's own `start` prevails.
    """
    fresh, chosen, kept = 0, [], []
    rows = [*model.yaml["backbone"], *model.yaml["head"]]
    for i, layer in enumerate(model.model):
        theirs = operators(source[pairs[i]]) if i in pairs else {}
        found = [(mine, theirs.get(name)) for name, mine in operators(layer).items() if isinstance(mine, Attention)]
        strangers = [mine for mine, other in found if not fits(mine, other)]
        blended = any(getattr(other, "blend", None) is not None for mine, other in found if mine not in strangers)
        unset = found and read_start(rows[i]) is None
        if unset and (strangers or blended):
            model.yaml = with_start(model.yaml, i, IDENTITY)
            start_as_identity(model.model, [i], verbose=False)
            if strangers:
                chosen.append(i)
        elif strangers and read_start(rows[i]) == PAPER:
            kept.append(i)
        elif blended and read_start(rows[i]) == PAPER:
            LOGGER.warning(
                f"yolo_attn: row {i} says {{start: paper}}, but its weights were trained from {{start: identity}}"
            )
        for mine, other in found:
            if other is not None and mine not in strangers and mine.blend is not None and other.blend is None:
                nn.init.ones_(mine.blend)
                fresh += 1
        fresh += sum(len(mine.state_dict()) for mine in strangers)
    if verbose and chosen:
        LOGGER.info(
            f"yolo_attn: attention starts as the identity in {rows_text(chosen)}, so that the pretrained network keeps "
            "its output; {start: paper} in a row switches that off"
        )
    if verbose and kept:
        LOGGER.info(f"yolo_attn: attention starts as in its paper in {rows_text(kept)}, as the model says")
    return fresh


def with_start(rows: dict, i: int, start: str) -> dict:
    """Returns a copy of a model dict whose row `i` says `start`: a model built from it has the same parameters."""
    rows = copy.deepcopy(rows)
    write_start([*rows["backbone"], *rows["head"]][i], start)
    return rows


def install() -> None:
    """Lets weights follow their layers."""
    BaseModel.load = load


def uninstall() -> None:
    """Puts the method back."""
    BaseModel.load = _load


def canary() -> None:
    """Loads a model of three convolutions, two of which have equal shapes, into one with attention between them.

    Raises:
        AttentionError: A convolution did not get its own weights, or attention changed the output.
    """
    source, model = _small(), _small(ECA=1)
    model.load(source, verbose=False)
    mine = [layer.state_dict() for layer in model.model if not is_attention_row(layer)]
    theirs = [layer.state_dict() for layer in source.model]
    equal = [all(torch.equal(m[key], t[key]) for key in t) for m, t in zip(mine, theirs, strict=True)]
    x = torch.linspace(0, 1, 3 * 4).view(1, 3, 2, 2)
    if not all(equal) or not torch.equal(model.eval().model(x), source.eval().model(x)):
        raise AttentionError("load() of this ultralytics does not let pretrained weights follow their layers")


def _small(**attention: int) -> Any:
    """Returns a model of three convolutions, with each attention in front of the row that is given for it."""
    rows = [[-1, 1, "Conv", [8, 1]], [-1, 1, "Conv", [8, 1]], [-1, 1, "Conv", [8, 1]]]
    for name, row in attention.items():
        rows.insert(row, [-1, 1, name, []])
    model: Any = BaseModel()
    model.yaml = {"nc": 1, "depth_multiple": 1.0, "width_multiple": 1.0, "backbone": rows, "head": []}
    model.model, model.save = tasks.parse_model(copy.deepcopy(model.yaml), 3, verbose=False)
    model.names = {}
    return model
