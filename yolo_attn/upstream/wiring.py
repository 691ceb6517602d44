"""Whether a model without its attention computes what its source computes: the same layers, fed by the same rows.

What is in their tensors is another question, and so is what attention does to the output.
"""

from torch import nn
from ultralytics.nn.modules.head import Detect

from yolo_attn.upstream.correspondence import Pairs, base_rows, inputs, is_attention_row, of_one_kind, operators

NO_SETTING = {"i", "f", "np", "type", "training", "inplace", "momentum"}  # attributes that change no output


def same_layers(mine: nn.Sequential, theirs: nn.Sequential, pairs: Pairs) -> bool:
    """Tells whether the base rows of both are the same, one for one, but for their tensors."""
    rows = base_rows(mine)
    return base_rows(theirs) == [pairs.get(i) for i in rows] and all(same(mine[i], theirs[pairs[i]]) for i in rows)


def same(mine: nn.Module, theirs: nn.Module) -> bool:
    """Tells whether two base layers have the same parts with the same strides, activations and so on."""
    parts = [dict(layer.named_modules(remove_duplicate=False)) for layer in (mine, theirs)]
    attention = {*operators(mine), *operators(theirs)}
    for name in parts[0].keys() & parts[1].keys():
        if not any(name == inside or name.startswith(f"{inside}.") for inside in attention):
            here, there = parts[0][name], parts[1][name]
            if not of_one_kind(here, there) or any(a != b for a, b in shared_settings(here, there)):
                return False
    return True


def shared_settings(mine: nn.Module, theirs: nn.Module) -> list[tuple]:
    """Returns the values of both of each plain attribute that both have; a head's own say how it is run, not built."""
    if isinstance(mine, Detect):
        return []
    here, there = vars(mine), vars(theirs)
    plain = [name for name, value in here.items() if isinstance(value, int | float | str | tuple)]
    return [(here[name], there[name]) for name in plain if name in there and name not in NO_SETTING]


def rewired(mine: nn.Sequential, theirs: nn.Sequential, pairs: Pairs) -> list[int]:
    """Returns the base rows of `mine` that are fed by other rows than their counterparts in `theirs`."""
    here, there = wiring(mine), wiring(theirs)
    return [i for i, rows in here.items() if i in pairs and [pairs.get(k, k) for k in rows] != there[pairs[i]]]


def wiring(layers: nn.Sequential) -> dict[int, list[int]]:
    """Returns the base rows whose outputs each base row takes, through whatever attention there is; -1 is the image."""
    passes_on = {-1: -1}  # each row, and the base row whose output it hands on: its own, or attention's input
    found = {}
    for i, layer in enumerate(layers):
        rows = [passes_on[row] for row in inputs(layers, i)]
        if is_attention_row(layer):
            passes_on[i] = rows[0]
        else:
            passes_on[i], found[i] = i, rows
    return found
