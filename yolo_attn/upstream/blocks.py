"""Attention inside Ultralytics' blocks, where the papers of SE, ECA and CBAM put it: before each residual sum.

    - [-1, 2, C3k2_CBAM, [512, false, 0.25, {reduction: 8}]]

The row is built as Ultralytics' own `[-1, 2, C3k2, [512, false, 0.25]]`; then every bottleneck in the built layer gets
attention on its second convolution's output. So arguments, repeats and scaling are Ultralytics' own, and so are all
parameter names: attention adds `….attn.…` and changes none.
"""

import contextlib
import logging
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import nn
from ultralytics.nn.modules.block import Bottleneck
from ultralytics.utils import LOGGER

from yolo_attn.errors import AttentionError
from yolo_attn.registry import AttentionInfo
from yolo_attn.surgery.rows import read_options, split_block


class AttentionBottleneck(Bottleneck):
    """A bottleneck with attention: x + attn(cv2(cv1(x))), the sum only where the bottleneck has its shortcut."""

    attn: nn.Module

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        residual = self.attn(self.cv2(self.cv1(x)))
        return residual + x if self.add else residual


class Inside(NamedTuple):
    """The attention of one row's bottlenecks: the operator, and the options the row gives."""

    info: AttentionInfo
    options: dict


def take(rows: list[list]) -> dict[int, Inside]:
    """Makes each row with attention inside the plain row of Ultralytics' block, in place; returns what was taken."""
    taken = {}
    for i, row in enumerate(rows):
        if split := split_block(row[2]):
            options = row[3][-1] if row[3] and isinstance(row[3][-1], dict) else {}
            row[2:] = [split[0], row[3][:-1] if options else row[3]]
            taken[i] = Inside(split[1], options)
    return taken


def put(layer: nn.Module, inside: Inside) -> None:
    """Gives every bottleneck in a built layer its attention, in place.

    Raises:
        AttentionError: The layer holds no bottleneck, or the operator cannot be built with these options.
    """
    if not (found := bottlenecks(layer)):
        raise AttentionError(f"{type(layer).__name__} with these arguments holds no bottleneck to put attention into")
    for bottleneck in found:
        channels = bottleneck.cv2.conv.out_channels
        options = read_options(inside.info, [inside.options], channels, lambda number: number)
        bottleneck.attn = inside.info.cls(channels, **options)
        bottleneck.__class__ = AttentionBottleneck
    if hasattr(layer, "np"):  # what parse_model writes on a layer: its number of parameters and its kind
        layer.np = sum(p.numel() for p in layer.parameters())  # type: ignore[assignment]
        layer.type = f"{layer.type}_{inside.info.name}"  # type: ignore[assignment,operator]


def bottlenecks(layer: nn.Module) -> list[Bottleneck]:
    """Returns the bottlenecks in a built layer: Ultralytics' own, and subclasses that share its forward."""
    return [m for m in layer.modules() if isinstance(m, Bottleneck) and type(m).forward is Bottleneck.forward]


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
    """Compares a bottleneck of Ultralytics with itself, made ours, with attention that changes nothing.

    Raises:
        AttentionError: They differ: Ultralytics' bottleneck computes something else than ours does.
    """
    x = torch.linspace(-1, 1, 8 * 6).view(1, 8, 2, 3)
    for shortcut in (True, False):
        bottleneck = Bottleneck(8, 8, shortcut).eval()
        before = bottleneck(x)
        bottleneck.attn = nn.Identity()
        bottleneck.__class__ = AttentionBottleneck
        if not torch.equal(before, bottleneck(x)):
            raise AttentionError("the bottleneck of this ultralytics is another than the one attention is put into")
