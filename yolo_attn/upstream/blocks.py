"""Attention inside Ultralytics' blocks, where the papers of SE, ECA and CBAM put it: before each residual sum.

    - [-1, 2, C3k2_CBAM, [512, false, 0.25, {reduction: 8}]]

The row is built as Ultralytics' own `[-1, 2, C3k2, [512, false, 0.25]]`; then every bottleneck in the built layer gets
attention on its second convolution's output, and a `Conv` behind itself. So arguments, repeats and scaling are
Ultralytics' own, and so are all parameter names: attention adds `….attn.…` and changes none.
"""

import contextlib
import inspect
import logging
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import torch
from torch import nn
from ultralytics.nn import modules
from ultralytics.nn.modules import Bottleneck, Conv
from ultralytics.utils import LOGGER

from yolo_attn.errors import AttentionError
from yolo_attn.nn import own
from yolo_attn.registry import AttentionInfo
from yolo_attn.surgery.rows import check_options, is_number, is_whole, split_block


class AttentionBottleneck(Bottleneck):
    """A bottleneck with attention: x + attn(cv2(cv1(x))), the sum only where the bottleneck has its shortcut."""

    attn: nn.Module

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        residual = self.attn(self.cv2(self.cv1(x)))
        return residual + x if self.add else residual


class AttentionConv(Conv):
    """A convolution with attention behind its activation, what forks call `Conv_CBAM`: attn(act(bn(conv(x))))."""

    attn: nn.Module

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.attn(super().forward(x))

    def forward_fuse(self, x: torch.Tensor) -> torch.Tensor:
        return self.attn(super().forward_fuse(x))


class Inside(NamedTuple):
    """The attention of one row's block: the operator, and the options the row gives."""

    info: AttentionInfo
    options: dict


def take(rows: list[list], named: Mapping[int, str]) -> dict[int, Inside]:
    """Makes each row with attention inside the plain row of Ultralytics' block, in place; returns what was taken.

    Args:
        rows: The model's rows.
        named: The rows to do it to, each with its name in messages.

    Raises:
        AttentionError: An argument is of another kind than the block takes.
    """
    taken = {}
    for i, row in named.items():
        block, info = split_block(rows[i][2])  # type: ignore[misc]
        args = rows[i][3]
        options = args[-1] if args and isinstance(args[-1], dict) else {}
        rows[i][2:] = [block, args[:-1] if options else args]
        if fault := wrong_argument(block, rows[i][3]):
            raise AttentionError(f"{row}: {fault}; {info.name}'s options stand in braces behind it, {{…: …}}")
        taken[i] = Inside(info, options)
    return taken


def wrong_argument(block: str, args: list) -> str:
    """Returns what is wrong with a block's arguments, nothing if they are of the kinds that it takes."""
    takes = list(inspect.signature(getattr(modules, block)).parameters.values())[1:]
    takes = [one for k, one in enumerate(takes) if (k, one.name) != (1, "n")]  # c1 and n are parse_model's
    names = ", ".join(one.name for one in takes)
    if not args or len(args) > len(takes):
        return f"{block} takes {names}, the first at least; it got {len(args)} arguments"
    for one, value in zip(takes, args, strict=False):
        if isinstance(one.default, bool):
            kind, fits = "true or false", isinstance(value, bool) or value in (0, 1)
        elif isinstance(one.default, float):
            kind, fits = "a number", is_number(value)
        else:
            kind, fits = "a whole number", is_whole(value) or isinstance(value, list)
        if not fits and value is not None and not isinstance(value, str):  # Ultralytics evaluates strings
            return f"{block} takes {names}, where {one.name} is {kind}, got {value}"
    return ""


def put(layer: nn.Module, inside: Inside) -> None:
    """Gives every bottleneck in a built layer its attention, in place; a convolution gets it behind itself.

    Raises:
        AttentionError: The layer holds no bottleneck, or the operator cannot be built with these options.
    """
    found: list[tuple[Any, int, type]] = [(m, m.cv2.conv.out_channels, AttentionBottleneck) for m in bottlenecks(layer)]
    found += [(m, m.conv.out_channels, AttentionConv) for m in convolutions(layer)]
    if not found:
        raise AttentionError(f"{type(layer).__name__} with these arguments holds no bottleneck to put attention into")
    check_options(inside.info, inside.options)
    for module, channels, cls in found:
        module.attn = own.built(inside.info, channels, inside.options)
        module.__class__ = cls
    if hasattr(layer, "np"):  # what parse_model writes on a layer: its number of parameters and its kind
        layer.np = sum(p.numel() for p in layer.parameters())  # type: ignore[assignment]
        layer.type = f"{layer.type}_{inside.info.name}"  # type: ignore[assignment,operator]


def bottlenecks(layer: nn.Module) -> list[Bottleneck]:
    """Returns the bottlenecks in a built layer: Ultralytics' own, and subclasses that share its forward."""
    return [m for m in layer.modules() if isinstance(m, Bottleneck) and type(m).forward is Bottleneck.forward]


def convolutions(layer: nn.Module) -> list[Conv]:
    """Returns the convolutions of a layer that is nothing else: one, or several in a row."""
    parts = list(layer) if isinstance(layer, nn.Sequential) else [layer]
    return [m for m in parts if type(m) is Conv] if all(type(m) is Conv for m in parts) else []


class _Named(logging.Filter):
    """Lets the table that parse_model prints show the attention in its blocks."""

    def __init__(self, lines: dict[str, tuple[str, str]]):
        super().__init__()
        self.lines = lines

    def filter(self, record: logging.LogRecord) -> bool:
        number = str(record.msg)[:3]
        plain, named = self.lines.get(number, ("", ""))
        record.msg = str(record.msg).replace(plain, named, 1) if plain else record.msg
        return True


@contextlib.contextmanager
def printed(layers: dict[int, Any], plain: dict[int, tuple[int, str]]) -> Iterator[None]:
    """Shows `layers`, built with attention, where parse_model prints their rows built without.

    Args:
        layers: The layers with attention, by their row.
        plain: Number of parameters and type that parse_model prints for each of these rows.
    """
    lines = {}
    for i, layer in layers.items():
        texts = [f"{np:10.0f}  {kind:<45}" for np, kind in (plain[i], (layer.np, layer.type))]
        lines[f"{i:>3}"] = texts[0], texts[1]
    named = _Named(lines)
    LOGGER.addFilter(named)
    try:
        yield
    finally:
        LOGGER.removeFilter(named)


def canary() -> None:
    """Compares a bottleneck and a convolution of Ultralytics with themselves, made ours, with no attention in them.

    Raises:
        AttentionError: They differ: Ultralytics' own compute something else than ours do.
    """
    x = torch.linspace(-1, 1, 8 * 6).view(1, 8, 2, 3)
    made: list[tuple[Any, type]] = [(Bottleneck(8, 8, shortcut), AttentionBottleneck) for shortcut in (True, False)]
    for module, cls in [*made, (Conv(8, 8), AttentionConv)]:
        kind = f"the {type(module).__name__.lower()}"
        before = module.eval()(x)
        module.attn = nn.Identity()
        module.__class__ = cls
        if not torch.equal(before, module(x)):
            raise AttentionError(f"{kind} of this ultralytics is another than the one attention is put into")
