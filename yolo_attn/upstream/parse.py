"""Seam: attention rows in model YAMLs.

    backbone:
      - [-1, 1, GAM, [{reduction: 8}]]

Ultralytics' `parse_model` builds every model from its rows. The wrapper here turns an attention row into one that
`parse_model` can build by itself, with the channels in front, and leaves the building to it:

    - [-1, 1, yolo_attn.GAM, [256, 8, 1, true]]

The channels come from `parse_model` too: the rows up to the last attention are built once on the meta device, which
holds no data, with a probe in each attention row's place. A model without attention takes the original path.

A row such as `[-1, 3, C3_CBAM, [256]]`, attention inside a block, is built as `C3`; see `yolo_attn.upstream.blocks`.
A row's `start` is no option of the operator: what `{start: identity}` asks for is done to the built layer. Nor is
`{instead: C2PSA}`, which tells `freeze` and `remove` that a block of the base stood there.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import torch
from ultralytics.nn import tasks
from ultralytics.utils import LOGGER

from yolo_attn import registry
from yolo_attn.errors import AttentionError
from yolo_attn.nn import Attention, own
from yolo_attn.nn.base import operators
from yolo_attn.registry import AttentionInfo
from yolo_attn.surgery.check import file, prepared, text
from yolo_attn.surgery.recipe import all_rows
from yolo_attn.surgery.rows import IDENTITY, read_options, read_start, take_instead, write_start
from yolo_attn.upstream import admission, blocks, oversights, ownership
from yolo_attn.upstream.building import (
    PROBE,
    ChannelProbe,
    build,
    own_scale,
    probe_channels,
    probe_scales,
    width,
)
from yolo_attn.upstream.building import original as _original
from yolo_attn.upstream.ownership import PREFIX, is_ours
from yolo_attn.upstream.rebind import rebind
from yolo_attn.upstream.unknown import refuse_unknown


def parse_model(d, ch, verbose=True):
    """Builds a model as Ultralytics does, with attention rows understood.

    Raises:
        AttentionError: A model with attention cannot be built as its author meant; the message names file, row, mend.
    """
    lines = ownership.lines(d)
    ours = ownership.has_ours(d)
    if ours:
        d, left_out = prepared(d)
        lines += left_out
    refuse_unknown(d)
    for line in lines if verbose else ():
        LOGGER.info(line)
    if ours and verbose:
        oversights.warn(d)
    return build_with_attention(d, ch, verbose) if ours else _original(d, ch, verbose)


def build_with_attention(d: dict, ch: int, verbose: bool) -> tuple[torch.nn.Sequential, list[int]]:
    """Builds a model dict that is prepared and ours to change.

    Raises:
        AttentionError: As `parse_model`.
    """
    rows = all_rows(d)
    texts = [text(row) for row in rows]
    named = {i: f"{file(d)}, row {i} {texts[i]}" for i, row in enumerate(rows) if is_ours(row[2])}
    attention = find_attention(rows, named)
    identity = take_starts(rows, named)
    instead = {i: block for i in attention if (block := take_word(take_instead, rows[i], named[i]))}
    inside = blocks.take(rows, {i: row for i, row in named.items() if i not in attention})
    probes = probe_channels(d, ch, attention, inside)
    at_scales = functools.cache(lambda: probe_scales(d, ch, attention))
    for i, info in attention.items():
        name, args = rows[i][2:]
        everywhere = functools.partial(lambda i: [width(at[i], scale) for scale, at in at_scales().items()], i)
        try:
            options = read_options(info, args, width(probes[i], own_scale(d)), everywhere)
            with torch.device("meta"):
                module = own.built(info, probes[i].channels, options)
        except AttentionError as error:
            raise AttentionError(f"{named[i]}: {error}") from None
        if verbose and (name != info.name or any(not isinstance(a, dict) for a in args)):
            LOGGER.info(f"yolo_attn: row {i} {texts[i]} read as {module.describe()}")
        rows[i][2:] = [PREFIX + info.name, [probes[i].channels, *options.values()]]
    printed = {i: (probes[i].np, probes[i].type) for i in inside}
    for i, block in inside.items():
        try:
            with torch.device("meta"):
                blocks.put(probes[i], block)
        except AttentionError as error:
            raise AttentionError(f"{named[i]}: {error}") from None
    with blocks.printed({i: probes[i] for i in inside}, printed):
        layers, save = build(d, ch, verbose)
    for i, block in inside.items():
        blocks.put(layers[i], block)
    for i, block_name in instead.items():
        layers[i].instead = block_name  # type: ignore[assignment]  # beside its number, its sources and its type
    start_as_identity(layers, identity, verbose)
    return layers, save


def take_starts(rows: list[list], named: Mapping[int, str]) -> list[int]:
    """Takes `start` out of our rows, in place, and returns those that are to start as the identity.

    Raises:
        AttentionError: A row asks for another start than there is.
    """
    found = {i: take_word(read_start, rows[i], row) for i, row in named.items()}
    for i in named:
        write_start(rows[i], None)
    return [i for i, start in found.items() if start == IDENTITY]


def take_word(read: Callable[[list], Any], row: list, name: str) -> Any:
    """Returns what `read` finds in a row; what it raises names the row."""
    try:
        return read(row)
    except AttentionError as error:
        raise AttentionError(f"{name}: {error}") from None


def start_as_identity(layers: torch.nn.Sequential, rows: list[int], verbose: bool) -> None:
    """Makes the attention in each of `rows` start as the identity."""
    for i in rows:
        for module in operators(layers[i]).values():
            if isinstance(module, Attention):
                module.start_as_identity()
        if hasattr(layers[i], "np"):  # the number of parameters, which parse_model writes on a layer
            layers[i].np = sum(p.numel() for p in layers[i].parameters())  # type: ignore[assignment]
    if rows and verbose:
        LOGGER.info(f"yolo_attn: {{start: identity}} in {rows_text(rows)}")


def rows_text(rows: list[int]) -> str:
    """Returns `row 5` or `rows 5, 9`."""
    return f"row{'s' if len(rows) > 1 else ''} {', '.join(map(str, rows))}"


def find_attention(rows: list[list], named: Mapping[int, str]) -> dict[int, AttentionInfo]:
    """Returns the operator of each of our rows that is attention and nothing else, by the row's number.

    Raises:
        AttentionError: A row reads several rows.
    """
    found = {}
    for i, row in named.items():
        f, _, name, _ = rows[i]
        info = registry.find(name)
        if not isinstance(f, int):
            own = info.name if info else name
            raise AttentionError(f"{row}: {own} takes one input, not a list; write -1 or one row's number")
        if info:
            found[i] = info
    return found


def install() -> None:
    """Lets `parse_model` read attention rows."""
    for info in registry.OPERATORS:
        setattr(tasks, PREFIX + info.name, info.cls)
    setattr(tasks, PROBE, ChannelProbe)
    admission.install()
    rebind(_original, parse_model)


def uninstall() -> None:
    """Puts Ultralytics' own `parse_model` back."""
    rebind(parse_model, _original)
    admission.uninstall()
    for name in [name for name in vars(tasks) if name.startswith(PREFIX)]:
        delattr(tasks, name)


def canary() -> None:
    """Builds a model whose channels are known and compares them.

    Raises:
        AttentionError: The parser gave other channels.
    """
    rows = [[-1, 1, "Conv", [32, 1]], [-1, 1, "Conv", [64, 1]], [0, 1, "ECA", []], [-2, 1, "ECA", []]]
    model = {"nc": 1, "scale": "n", "scales": {"n": [1.0, 0.25, 128]}, "backbone": rows, "head": []}
    layers, save = tasks.parse_model(model, 3, verbose=False)
    seen = [getattr(layers[i], "channels", None) for i in (2, 3)]
    if seen != [8, 16] or save != [0, 1]:
        raise AttentionError(f"the model parser of this ultralytics gave channels {seen} where [8, 16] arrive")
    blocks.canary()
