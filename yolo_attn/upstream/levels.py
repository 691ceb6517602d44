"""The branches of a detection head, one a level, where two heads have another number of levels: P2 to P5, P3 to P5.

By their names a head's first branch would meet the other's first, of another stride, as most of their shapes agree.
"""

import copy
from typing import Any

from torch import nn
from ultralytics.nn.modules import Conv
from ultralytics.nn.modules.head import Detect

from yolo_attn.surgery.alignment import best_alignment


def level_by_level(theirs: Any, mine: Any) -> nn.Module:
    """Returns a view of the head `theirs` with its branches where `mine` has the levels that they fit; or `theirs`."""
    if not isinstance(theirs, Detect) or not isinstance(mine, Detect) or theirs.nl == mine.nl:
        return theirs
    branches: dict[str, Any] = {name: part for name, part in theirs.named_children() if is_branches(part, theirs.nl)}
    shared = [name for name in branches if is_branches(getattr(mine, name, None), mine.nl)]
    gains = {
        (a, b): (sum(in_common(getattr(mine, name)[a], branches[name][b]) for name in shared), 1, 0)
        for a in range(mine.nl)
        for b in range(theirs.nl)
    }
    levels = best_alignment(list(range(mine.nl)), list(range(theirs.nl)), gains)
    moved = {
        name: nn.ModuleList(branches[name][levels[a]] if a in levels else nothing() for a in range(mine.nl))
        for name in shared
    }
    view = copy.copy(theirs)
    view._modules = {**theirs._modules, **moved}
    return view


def is_branches(part: Any, levels: int) -> bool:
    """Tells whether a part of a head holds a branch for each of its levels."""
    return isinstance(part, nn.ModuleList) and len(part) == levels


def in_common(mine: nn.Module, theirs: nn.Module) -> int:
    """Returns how many tensors of two branches agree in name and shape."""
    shapes = [{(name, tensor.shape) for name, tensor in branch.state_dict().items()} for branch in (mine, theirs)]
    return len(shapes[0] & shapes[1])


def nothing() -> nn.Module:
    """Returns a branch without tensors, of one channel: Ultralytics' `load` reads the channels that a branch takes."""
    conv = Conv(1, 1)
    for module in conv.modules():
        module._parameters.clear()
        module._buffers.clear()
    return nn.Sequential(conv)
