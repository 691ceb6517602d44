"""Seam: pretrained weights follow their layers, wherever attention was put in.

Ultralytics' `load` copies tensors whose key and shape agree. A row put in shifts the number in every later key,
`model.9.…`, so most of the weights stay behind, and a key that agrees by chance receives another layer's. Here the
source is laid out as the model that loads it, and the original `load` copies:

    base row      0  1  2  …              each base row receives the tensors of the source's that it is, found by
    source        0  1  2     3           `yolo_attn.upstream.correspondence`; attention receives those of the same
    this model    0  1  2  A  4           operator on the same base row's output.

Of a base row that the source does not have, and of other attention, nothing is copied. A model without attention that
loads one without takes the original path.
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
from yolo_attn.upstream.correspondence import corresponding, is_attention_row, laid_out, operators
from yolo_attn.upstream.provenance import of_one_width
from yolo_attn.upstream.starts import reconcile_starts
from yolo_attn.upstream.transfer import base_tensors, tell
from yolo_attn.upstream.unfuse import is_folded, unfused

_load = BaseModel.load


@functools.wraps(_load)
def load(self, weights, verbose=True):
    source = (weights.get("ema") or weights["model"]) if isinstance(weights, dict) else weights
    layers: list[Any] = [getattr(model, "model", None) for model in (self, source)]
    if not all(isinstance(s, nn.Sequential) for s in layers) or not any(map(operators, layers)):
        _load(self, weights, verbose)
        return
    if is_folded(source) and not is_folded(self):
        source = unfused(source)
        if verbose:
            LOGGER.warning(
                "yolo_attn: the source is fused for inference: its batch norms are folded into the convolutions, and "
                "start here without their statistics; train from the checkpoint before fuse() if there is one"
            )
    pairs = corresponding(self.model, source.model, of_one_width(self, source))
    starts = reconcile_starts(self, source.model, pairs)
    source.float()  # as the original does to the whole source, of which it sees a part
    view = laid_out(source, self.model, pairs)
    with _Transferred(verbose) as transferred:
        _load(self, view)
    follow(self, view)
    take_names(self, view)
    if verbose and transferred.items is not None:
        tell(self, source, view, pairs, starts, transferred.items)


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
    names, theirs = getattr(view, "names", None) or {}, view.model.state_dict()
    complete = all(k in theirs and theirs[k].shape == tensor.shape for k, tensor in base_tensors(model).items())
    if complete and not hasattr(model, "set_classes") and model.names == {i: str(i) for i in range(len(names))}:
        model.names = dict(names)


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
