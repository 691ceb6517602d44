"""Which layer of one model corresponds to which of another, where attention was put into either."""

import copy
from typing import Any

from torch import nn

from yolo_attn.nn import Attention, Deployed

KINDS = (Attention, Deployed)


def operators(layer: nn.Module) -> dict[str, nn.Module]:
    """Returns the attention operators within `layer`, itself included, by their name in it."""
    return {name: m for name, m in layer.named_modules() if isinstance(m, KINDS)}


def is_attention_row(layer: nn.Module) -> bool:
    """Tells whether a row is attention and nothing else, once or repeated."""
    repeated = isinstance(layer, nn.Sequential) and len(layer) > 0 and all(isinstance(m, KINDS) for m in layer)
    return repeated or isinstance(layer, KINDS)


def corresponding(mine: nn.Sequential, theirs: nn.Sequential) -> dict[int, int]:
    """Returns the row of `theirs` that corresponds to each row of `mine`; rows without one are left out."""
    base = [[i for i, layer in enumerate(layers) if not is_attention_row(layer)] for layers in (mine, theirs)]
    pairs = {i: j for i, j in zip(*base, strict=False) if of_one_kind(mine[i], theirs[j])}
    places = [attention_places(layers) for layers in (mine, theirs)]
    return pairs | {i: places[1][place] for place, i in places[0].items() if place in places[1]}


def of_one_kind(mine: nn.Module, theirs: nn.Module) -> bool:
    """Tells whether two layers are of one class, or one's derives from the other's: a Segment head is a Detect head."""
    repeated = [isinstance(layer, nn.Sequential) for layer in (mine, theirs)]
    if all(repeated) and len(mine) and len(theirs):  # type: ignore[arg-type]
        return of_one_kind(mine[0], theirs[0])  # type: ignore[index]
    return not any(repeated) and (isinstance(mine, type(theirs)) or isinstance(theirs, type(mine)))


def attention_places(layers: nn.Sequential) -> dict[tuple, int]:
    """Returns each attention row by its place, which is the same in every model of one base.

    A place is the base row whose output arrives (-1: the image), the operators on the way from there, this row's own
    last, and a count where that is not unique.
    """
    places: dict[tuple, int] = {}
    arriving: list[tuple] = []  # for each row, the base row and the operators behind it that make its output
    base_rows = 0
    for i, layer in enumerate(layers):
        if is_attention_row(layer):
            f: Any = layer.f
            row = i + f if f < 0 else f
            before = arriving[row] if row >= 0 else (-1,)
            arriving.append((*before, *(type(m).__name__ for m in operators(layer).values())))
            count = sum(place[:-1] == arriving[-1] for place in places)
            place = (*arriving[-1], count)
            places[place] = i
        else:
            arriving.append((base_rows,))
            base_rows += 1
    return places


def fits(mine: nn.Module | None, theirs: nn.Module | None) -> bool:
    """Tells whether attention is the same operator with the same tensors, not counting an identity start's."""
    if mine is None or theirs is None or type(mine) is not type(theirs):
        return False
    shapes = [{k: v.shape for k, v in m.state_dict().items() if k != "blend"} for m in (mine, theirs)]
    return shapes[0] == shapes[1]


def laid_out(source: nn.Module, like: nn.Sequential, pairs: dict[int, int]) -> nn.Module:
    """Returns a view of `source` with its layers where their counterparts in `like` are, and nothing elsewhere."""
    layers: Any = source.model
    view = copy.copy(source)
    rows = [without_strangers(layers[pairs[i]], mine) if i in pairs else nn.Identity() for i, mine in enumerate(like)]
    view._modules = {**source._modules, "model": nn.Sequential(*rows)}
    return view


def without_strangers(layer: nn.Module, mine: nn.Module) -> nn.Module:
    """Returns `layer` without the attention in it that does not fit `mine`: itself, or a copy."""
    counterparts = operators(mine)
    strangers = [
        name
        for name, theirs in operators(layer).items()
        if name not in counterparts or not fits(counterparts[name], theirs)
    ]
    if "" in strangers:
        return nn.Identity()
    layer = copy.deepcopy(layer) if strangers else layer
    for name in strangers:
        layer.set_submodule(name, nn.Identity())
    return layer


def base_tensors(layer: nn.Module) -> int:
    """Returns how many tensors of a layer are not attention's."""
    return len(layer.state_dict()) - sum(len(m.state_dict()) for m in operators(layer).values())
