"""Seam: a model with attention that cannot run is one line that names the row, not a traceback from its middle.

Ultralytics sends an empty image through every new detector to find its strides. Rows that read others than their author
meant end there, most often in a `Concat` of maps of two sizes: "Sizes of tensors must match".
"""

import functools
from typing import Any

from ultralytics.nn.tasks import DetectionModel

from yolo_attn.errors import AttentionError, brief
from yolo_attn.nn.sumnorm import SumNorm
from yolo_attn.surgery.check import file, prepared
from yolo_attn.upstream import layout, oversights
from yolo_attn.upstream.ownership import has_ours

_init: Any = DetectionModel.__init__


@functools.wraps(_init)
def init(self, *args, **kwargs):
    try:
        _init(self, *args, **kwargs)
    except AttentionError:
        raise
    except Exception as error:
        model = vars(self).get("yaml")
        if not has_ours(model):
            raise
        raise AttentionError(why(model, error)) from error
    for norm in self.modules():  # 8.3.0 sends its empty image through a network in training, which is none yet
        if isinstance(norm, SumNorm):
            norm.size.pixels = 0


def why(model: dict, error: Exception) -> str:
    """Returns why a model cannot run: the row, what it should probably read, or at least the error itself."""
    try:
        model, _ = prepared(model)
        layout.layers(model)
        said = f"{file(model)} cannot be built ({brief(error)})"
    except AttentionError as ours:
        said = str(ours)
    try:
        first, *more = oversights.lines(model) or [""]
    except AttentionError:
        return said
    return "; ".join(filter(None, [said, first, f"and {len(more)} rows more" if more else ""]))


def install() -> None:
    """Lets a detector say which of its rows cannot run."""
    DetectionModel.__init__ = init  # type: ignore[method-assign]


def uninstall() -> None:
    """Puts the constructor back."""
    DetectionModel.__init__ = _init  # type: ignore[method-assign]


def canary() -> None:
    """Builds a detector in which two maps of different sizes meet.

    Raises:
        AttentionError: Its constructor does not find out, or the seam would not come by.
    """
    rows = [[-1, 1, "Conv", [8, 3, 8]], [-1, 1, "Conv", [8, 3, 2]], [[-1, 0], 1, "Concat", [1]]]
    try:
        DetectionModel({"nc": 1, "backbone": rows, "head": [[[2], 1, "Detect", ["nc"]]]}, verbose=False)
        found = False
    except RuntimeError:
        found = DetectionModel.__init__ is init
    if not found:
        raise AttentionError("the detectors of this ultralytics are not tried where they are built")
