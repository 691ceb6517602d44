"""Seam: attention rows in model YAMLs.

    backbone:
      - [-1, 1, GAM, [{reduction: 8}]]

Ultralytics' `parse_model` builds every model from its rows. The wrapper here turns an attention row into one that
`parse_model` can build by itself, with the channels in front, and leaves the building to it:

    - [-1, 1, yolo_attn.GAM, [256, 8, 1, true]]

The channels come from `parse_model` too: the rows up to the last attention are built once on the meta device, which
holds no data, with a probe in each attention row's place. A model without attention takes the original path.

A row such as `[-1, 3, C3_CBAM, [256]]`, attention inside a block, is built as `C3`; see `yolo_attn.upstream.blocks`.
A row's `start` is no option of the operator: what `{start: identity}` asks for is done to the built layer.
"""

import copy
from collections.abc import Iterable
from typing import Any

import torch
from ultralytics.nn import tasks
from ultralytics.utils import LOGGER
from ultralytics.utils.ops import make_divisible

from yolo_attn import registry
from yolo_attn.errors import AttentionError
from yolo_attn.nn import Attention
from yolo_attn.registry import AttentionInfo
from yolo_attn.surgery.hints import hint
from yolo_attn.surgery.rows import BLOCKS, IDENTITY, read_options, read_start, split_block, write_start
from yolo_attn.upstream import blocks, oversights
from yolo_attn.upstream.rebind import rebind

PREFIX = "yolo_attn."  # no row of anybody else can have such a name
PROBE = f"{PREFIX}ChannelProbe"
_original = tasks.parse_model


class ChannelProbe(torch.nn.Module):
    """Stands in an attention row's place and keeps what `parse_model` knows there.

    Its row's arguments are the names of `parse_model`'s own variables, which the parser replaces by their values.
    """

    ARGUMENTS = ("ch", "f", "width", "max_channels")

    def __init__(self, ch: list[int], f: int, width: float, max_channels: float):
        super().__init__()
        self.channels, self.width, self.max_channels = ch[f], width, max_channels

    def scaled(self, channels: int) -> int:
        """Returns what a channel number of the YAML becomes after width scaling."""
        return make_divisible(min(channels, self.max_channels) * self.width, 8)


def parse_model(d, ch, verbose=True):
    """Builds a model as Ultralytics does, with attention rows understood.

    Raises:
        AttentionError: An attention row cannot be built as its author meant; the message names file, row and mend.
    """
    attention = find_attention(d)
    rows = [*d["backbone"], *d["head"]]
    if not attention and not any(split_block(row[2]) for row in rows):
        return _original(d, ch, verbose)
    if verbose:
        oversights.warn(d)
    texts = [_text(row) for row in rows]
    d = copy.deepcopy(d)
    rows = [*d["backbone"], *d["head"]]
    identity = take_starts(rows, _file(d))
    inside = blocks.take(rows)
    probes = probe_channels(d, ch, attention, inside)
    for i, info in attention.items():
        where = f"{_file(d)}, row {i} {texts[i]}: "
        try:
            options = read_options(info, rows[i][3], probes[i].channels, probes[i].scaled)
            with torch.device("meta"):
                module = info.cls(probes[i].channels, **options)
        except AttentionError as error:
            raise AttentionError(f"{where}{error}") from None
        if verbose and (rows[i][2] != info.name or any(not isinstance(a, dict) for a in rows[i][3])):
            LOGGER.info(f"yolo_attn: row {i} {texts[i]} read as {module.describe()}")
        rows[i][2:] = [PREFIX + info.name, [probes[i].channels, *options.values()]]
    printed = {i: (probes[i].np, probes[i].type) for i in inside}
    for i, block in inside.items():
        try:
            with torch.device("meta"):
                blocks.put(probes[i], block)
        except AttentionError as error:
            raise AttentionError(f"{_file(d)}, row {i} {texts[i]}: {error}") from None
    with blocks.printed({i: probes[i] for i in inside}, printed):
        layers, save = _original(d, ch, verbose)
    for i, block in inside.items():
        blocks.put(layers[i], block)
    start_as_identity(layers, identity, verbose)
    return layers, save


def take_starts(rows: list[list], file: str) -> list[int]:
    """Takes `start` out of every row, in place, and returns the rows that are to start as the identity.

    Raises:
        AttentionError: A row asks for another start than there is.
    """
    found = {}
    for i, row in enumerate(rows):
        try:
            found[i] = read_start(row)
        except AttentionError as error:
            raise AttentionError(f"{file}, row {i} {_text(row)}: {error}") from None
        if found[i]:
            write_start(row, None)
    return [i for i, start in found.items() if start == IDENTITY]


def start_as_identity(layers: torch.nn.Sequential, rows: list[int], verbose: bool) -> None:
    """Makes the attention in each of `rows` start as the identity."""
    for i in rows:
        for module in layers[i].modules():
            if isinstance(module, Attention):
                module.start_as_identity()
        if hasattr(layers[i], "np"):  # the number of parameters, which parse_model writes on a layer
            layers[i].np = sum(p.numel() for p in layers[i].parameters())  # type: ignore[assignment]
    if rows and verbose:
        LOGGER.info(f"yolo_attn: {{start: identity}} in {rows_text(rows)}")


def rows_text(rows: list[int]) -> str:
    """Returns `row 5` or `rows 5, 9`."""
    return f"row{'s' if len(rows) > 1 else ''} {', '.join(map(str, rows))}"


def find_attention(d: dict) -> dict[int, AttentionInfo]:
    """Returns the operator of each attention row by the row's number, counted from 0 through backbone and head.

    Raises:
        AttentionError: A row's module is unknown to Ultralytics and to us, or an attention row's input is impossible.
    """
    found = {}
    for i, row in enumerate([*d["backbone"], *d["head"]]):
        f, name = row[0], row[2]
        if not isinstance(name, str) or name.startswith(("nn.", "torchvision.ops.")):
            continue
        if hasattr(tasks, name) and not name.startswith(PREFIX):
            if registry.find(name) or split_block(name):
                raise AttentionError(
                    f"{_file(d)}, row {i} {_text(row)}: ultralytics has its own '{name}', which may be another "
                    f"operator; write {PREFIX}{_own_name(name)} for this package's"
                )
            continue
        if split_block(name):
            continue
        where = f"{_file(d)}, row {i} {_text(row)}: "
        info = registry.find(name)
        if info is None:
            raise AttentionError(
                f"{where}unknown module '{name}'{hint(name)}; "
                f"attention rows are {', '.join(registry.names())}, and inside {', '.join(BLOCKS)}: C3_CBAM and so on"
            )
        if not isinstance(f, int):
            raise AttentionError(f"{where}{info.name} takes one input, not a list; write -1 or one row's number")
        if f >= i or f < -max(i, 1):
            raise AttentionError(f"{where}input {f} is no earlier row; write -1 or a number from 0 to {i - 1}")
        found[i] = info
    return found


def probe_channels(d: dict, ch: int, attention: dict[int, AttentionInfo], inside: Iterable[int] = ()) -> dict[int, Any]:
    """Returns a probe for each row in `attention`, holding the channels that arrive there, and the rows of `inside`."""
    d = copy.deepcopy(d)
    if d.get("scales") and not d.get("scale"):
        d["scale"] = next(iter(d["scales"]))  # as parse_model chooses it, which then warns; once is enough
    rows = [*d["backbone"], *d["head"]]
    wanted = {*attention, *inside}
    for i in attention:
        rows[i][1:] = [1, PROBE, list(ChannelProbe.ARGUMENTS)]
    with torch.device("meta"):
        layers, _ = _original({**d, "backbone": rows[: max(wanted) + 1], "head": []}, ch, verbose=False)
    return {i: layers[i] for i in wanted}


def install() -> None:
    """Lets `parse_model` read attention rows."""
    for info in registry.OPERATORS:
        setattr(tasks, PREFIX + info.name, info.cls)
    setattr(tasks, PROBE, ChannelProbe)
    rebind(_original, parse_model)


def uninstall() -> None:
    """Puts Ultralytics' own `parse_model` back."""
    rebind(parse_model, _original)
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


def _file(d: dict) -> str:
    return d.get("yaml_file") or "model"


def _own_name(name: str) -> str:
    return registry.get(name).name if registry.find(name) else name


def _text(row: list) -> str:
    f, n, name, args = row
    values = ", ".join(
        "{" + ", ".join(f"{k}: {v}" for k, v in a.items()) + "}" if isinstance(a, dict) else str(a) for a in args
    )
    return f"[{f}, {n}, {name}, [{values}]]"
