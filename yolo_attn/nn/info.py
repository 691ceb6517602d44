"""What an operator's file says of it, beside the class: where it comes from, and what people call it in their rows."""

import functools
from dataclasses import dataclass, field

from yolo_attn.nn.base import Attention


@dataclass(frozen=True)
class AttentionInfo:
    """One operator.

    Attributes:
        name: The row's name in a model YAML.
        cls: The module, built as `cls(channels, **options)`.
        kind: The survey's taxonomy: channel (what), spatial (where), temporal (when), branch (which).
        title: What the operator weighs and how, in half a line.
        paper: The paper's arXiv number; empty where it is not on arXiv.
        year: Year of the paper.
        positional: Options that rows in circulation give as bare numbers after the channels, in their order.
        aliases: Class names in circulation for the same operator.
        spellings: What rows in circulation say behind the channels that is no option by position, each with the options
            it means.
        or_true: Options that take a whole number, or `true` where the operator finds it by itself.
    """

    name: str
    cls: type[Attention]
    kind: str
    title: str
    paper: str
    year: int
    positional: tuple[str, ...]
    aliases: tuple[str, ...]
    spellings: tuple[tuple[tuple, dict[str, object]], ...] = field(default=(), hash=False)
    or_true: tuple[str, ...] = ()

    @property
    def options(self) -> dict[str, object]:
        """The options a row may set, with their defaults."""
        return self.cls.options()

    def parameters(self, channels: int, **options) -> int:
        """Returns how many parameters the operator has on a map of `channels`."""
        return sum(parameter.numel() for parameter in self.cls(channels, **options).parameters())


@functools.cache
def key(name: str) -> str:
    """Returns an operator's name without what does not matter: case, `_`, `-`, a leading `yolo_attn.` or `nn.`."""
    return name.removeprefix("yolo_attn.").removeprefix("nn.").replace("_", "").replace("-", "").lower()
