"""Which layer of one model corresponds to which of another, where attention was put into either."""

import copy
from typing import Any

from torch import Size, nn

from yolo_attn import registry
from yolo_attn.nn import Attention, Deployed
from yolo_attn.nn.base import operators
from yolo_attn.surgery.alignment import Gain, best_alignment
from yolo_attn.upstream.levels import level_by_level

KINDS = (Attention, Deployed)
Pairs = dict[int, int]  # a row of this model → the row of the source that it corresponds to


def is_attention_row(layer: nn.Module) -> bool:
    """Tells whether a row is attention and nothing else, once or repeated."""
    repeated = isinstance(layer, nn.Sequential) and len(layer) > 0 and all(isinstance(m, KINDS) for m in layer)
    return repeated or isinstance(layer, KINDS)


def base_rows(layers: nn.Sequential) -> list[int]:
    """Returns the numbers of the rows that are no attention."""
    return [i for i, layer in enumerate(layers) if not is_attention_row(layer)]


def base_shapes(layer: nn.Module) -> dict[str, Size]:
    """Returns the shapes of the tensors of a layer that are not attention's, by their names in it."""
    inside = tuple(f"{name}." for name in operators(layer))
    if "." in inside:  # the layer itself is attention
        return {}
    return {name: tensor.shape for name, tensor in layer.state_dict().items() if not name.startswith(inside)}


def corresponding(mine: nn.Sequential, theirs: nn.Sequential, one_width: bool = True) -> Pairs:
    """Returns the row of `theirs` that corresponds to each row of `mine`; rows without one are left out.

    Attention corresponds to the same operator on the output of the same base row.

    Args:
        mine: The layers of this model.
        theirs: Those of the source.
        one_width: Whether both are of one width, so that shapes tell layers apart.
    """
    pairs = base_pairs(mine, theirs, one_width)
    places = attention_places(mine, pairs), attention_places(theirs, {j: j for j in base_rows(theirs)})
    return pairs | {i: places[1][place] for place, i in places[0].items() if place in places[1]}


def base_pairs(mine: nn.Sequential, theirs: nn.Sequential, one_width: bool) -> Pairs:
    """Returns the base row of `theirs` that corresponds to each base row of `mine`.

    Where both have the same kinds of rows one after another, the k-th corresponds to the k-th. Elsewhere rows were
    added, left out or replaced, and it is the alignment along which most tensors follow. Between models of different
    width shapes agree by chance alone, and most rows of one kind come first. Where the rule of Ultralytics, equal
    number, brings more tensors along, that rule holds.
    """
    shapes = [{i: base_shapes(layers[i]).items() for i in base_rows(layers)} for layers in (mine, theirs)]
    in_common = {(i, j): len(here & there) for i, here in shapes[0].items() for j, there in shapes[1].items()}
    one_kind = {pair for pair in in_common if of_one_kind(mine[pair[0]], theirs[pair[1]])}
    pairs = dict(zip(*shapes, strict=False))
    if len(shapes[0]) != len(shapes[1]) or not one_kind.issuperset(pairs.items()):
        gains: dict[tuple[int, int], Gain] = {}
        for i, j in one_kind:
            # In a model of as many rows, attention stands in the place of a layer, and the others kept their numbers.
            kept = int(len(mine) == len(theirs) and i == j)
            gains[i, j] = (in_common[i, j], 1, kept) if one_width else (1, in_common[i, j], kept)
        pairs = best_alignment(list(shapes[0]), list(shapes[1]), gains)
    by_number = {i: i for i in shapes[0] if i in shapes[1]}
    return max(pairs, by_number, key=lambda found: sum(in_common[pair] for pair in found.items()))


def of_one_kind(mine: nn.Module, theirs: nn.Module) -> bool:
    """Tells whether two layers are of one class, or one's derives from the other's: a Segment head is a Detect head."""
    repeated = [isinstance(layer, nn.Sequential) for layer in (mine, theirs)]
    if all(repeated) and len(mine) and len(theirs):  # type: ignore[arg-type]
        return of_one_kind(mine[0], theirs[0])  # type: ignore[index]
    return not any(repeated) and (isinstance(mine, type(theirs)) or isinstance(theirs, type(mine)))


def inputs(layers: nn.Sequential, i: int) -> list[int]:
    """Returns the rows whose outputs row `i` takes; -1 is the image."""
    f: Any = getattr(layers[i], "f", -1)
    return [i + row if row < 0 else row for row in ([f] if isinstance(f, int) else f)]


def attention_places(layers: nn.Sequential, named: Pairs) -> dict[tuple, int]:
    """Returns each attention row by its place, which is the same in every model of one base.

    A place is the base row whose output arrives, the operators on the way from there, this row's own last, and a count
    where that is not unique.

    Args:
        layers: The model's layers.
        named: What each base row is called; attention behind a row without a name has no place.
    """
    places: dict[tuple, int] = {}
    arriving: dict[int, tuple | None] = {-1: (-1,)}  # the base row and the operators behind it that make a row's output
    for i, layer in enumerate(layers):
        if not is_attention_row(layer):
            arriving[i] = (named[i],) if i in named else None
            continue
        before = arriving[inputs(layers, i)[0]]
        place = before and (*before, *map(operator_name, operators(layer).values()))
        arriving[i] = place
        if place:
            count = sum(other[:-1] == place for other in places)
            places[place + (count,)] = i  # noqa: RUF005  (mypy)
    return places


def operator_name(module: nn.Module) -> str:
    """Returns the name of an operator, in its deploy form too."""
    return module.source.partition("(")[0] if isinstance(module, Deployed) else type(module).__name__


def options_of(module: Any) -> dict[str, str]:
    """Returns what an operator's function hangs on, channels and options, as text; in its deploy form too."""
    deployed = isinstance(module, Deployed)
    cls = registry.get(operator_name(module)).cls if deployed else type(module)
    if deployed:
        channels, *options = module.source.partition("(")[2].removesuffix(")").split(", ")
        found = {"channels": channels, **dict(option.split("=") for option in options)}
    else:
        found = {"channels": module.channels} | {n: getattr(module, n, value) for n, value in cls.options().items()}
    wanted = ["channels", *(name for name in cls.options() if name not in cls.training_options)]
    return {name: str(found[name]) for name in wanted if name in found}


def difference(mine: nn.Module, theirs: nn.Module) -> str:
    """Returns what makes two operators other functions, `reduction is 8 here and 16 in the source`, or nothing."""
    names = operator_name(mine), operator_name(theirs)
    if names[0] != names[1]:
        return f"{names[0]} here and {names[1]} in the source"
    here, there = options_of(mine), options_of(theirs)
    other = [name for name, value in here.items() if there.get(name, value) != value]
    return ", ".join(f"{name} is {here[name]} here and {there[name]} in the source" for name in other)


def fits(mine: nn.Module | None, theirs: nn.Module | None) -> bool:
    """Tells whether attention can take another's tensors: the same function, in the same form.

    Not counting an identity start's, and what the source has more, such as the ranges of a quantized training.
    """
    if mine is None or theirs is None or type(mine) is not type(theirs) or difference(mine, theirs):
        return False
    here, there = mine.state_dict(), theirs.state_dict()
    return all(key in there and there[key].shape == here[key].shape for key in here if key != "blend")


def laid_out(source: nn.Module, like: nn.Sequential, pairs: Pairs) -> nn.Module:
    """Returns a view of `source` with its layers where their counterparts in `like` are, and nothing elsewhere."""
    layers: Any = source.model
    view = copy.copy(source)
    rows = [
        level_by_level(without_strangers(layers[pairs[i]], mine), mine) if i in pairs else nn.Identity()
        for i, mine in enumerate(like)
    ]
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
