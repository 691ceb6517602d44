"""Attention at every place of a base at once, and which of its layers is the one of which place."""

import copy
from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

from torch import nn

from yolo_attn import insertion
from yolo_attn.evidence.layers import attention, row
from yolo_attn.evidence.quiet import quiet
from yolo_attn.surgery import places, recipe
from yolo_attn.surgery.places import Step
from yolo_attn.upstream import layout


class Everywhere(NamedTuple):
    """A base and its places: the word of each, and what it means."""

    base: dict
    places: dict[str, Step]

    def model(self, operator: str, words: Collection[str]) -> dict:
        """Returns the model dict of the base with an operator at some of its places."""
        return insertion.insert(self.base, operator, [word for word in self.places if word in words])

    def paths(self, network: nn.Module) -> dict[str, list[str]]:
        """Returns the paths of a network's attention layers by the words of their places.

        Args:
            network: One that was built from what `model` returned, or what was left of it.
        """
        built: Any = network
        return self.by_word(recipe.all_rows(built.yaml), attention(network))

    def by_word(self, rows: Sequence[list], paths: Iterable[str]) -> dict[str, list[str]]:
        """Returns the paths of attention layers in a model of these rows by the words of their places."""
        words = {step: word for word, step in self.places.items()}
        found: dict[str, list[str]] = {}
        for path in paths:
            found.setdefault(words[step_of(rows, path)], []).append(path)
        return found


def of(base: dict) -> Everywhere:
    """Returns a base with its places."""
    return Everywhere(base, places.everywhere(base, layout.layers(base)))


def step_of(rows: Sequence[list], path: str) -> Step:
    """Returns where in the base the attention layer at a path stands.

    Attention that only the head reads stands behind all other rows, so what it reads is not the row before it.
    """
    alone = recipe.attention_rows({"backbone": rows, "head": []})
    number = {i: k for k, i in enumerate(i for i in range(len(rows)) if i not in alone)}
    i = row(path)
    if i not in alone:
        return Step("in", number[i])
    (read,) = recipe.sources(rows, i)
    how = "after" if read == i - 1 else "head"
    while read in alone:
        (read,) = recipe.sources(rows, read)
    return Step(how, number[read])


def built(base: nn.Module, rows: dict) -> nn.Module:
    """Returns a network of these rows with the weights of a base; its attention starts as the identity."""
    old: Any = base
    new: Any = type(old)(copy.deepcopy(rows), ch=rows.get("channels", 3), verbose=False)
    with quiet():
        new.load(old)
    for name in ("names", "nc", "args", "task", "kpt_shape"):
        if hasattr(old, name):
            setattr(new, name, copy.deepcopy(getattr(old, name)))
    return new.eval()
