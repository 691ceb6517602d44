"""Reading one attention row of a model YAML: what did its author mean by `[-1, 1, CBAM, [256, 7]]`?

Pure functions on plain values. The facts about the network (the channels that arrive, the width scaling) come from
Ultralytics' own parser through `yolo_attn.upstream.parse`.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

from yolo_attn import registry
from yolo_attn.errors import AttentionError, shown
from yolo_attn.registry import AttentionInfo

IDENTITY, PAPER = STARTS = ("identity", "paper")  # what a row may say of its first step

# Ultralytics' blocks that attention goes into, before each residual sum; behind a `Conv`, and C3TR and ELAN1.
BLOCKS = (
    "A2C2f", "Bottleneck", "BottleneckCSP", "C1", "C2", "C2f", "C2fAttn", "C2fCIB", "C2fPSA", "C2PSA", "C3", "C3Ghost",
    "C3k2", "C3TR", "C3x", "Conv", "ELAN1", "GhostBottleneck", "HGBlock", "PSA", "RepC3", "RepNCSPELAN4", "ResNetLayer",
    "TorchVision",
)  # fmt: skip


class Width(NamedTuple):
    """What a row meets at one scale of its file.

    Attributes:
        channels: The channels that arrive.
        scaled: What Ultralytics' width scaling makes of a channel number.
        scale: The scale's letter; empty where the file has none.
    """

    channels: int
    scaled: Callable[[int], int]
    scale: str = ""


def is_attention(name: object) -> bool:
    """Tells whether a row's name is an operator's or a block's with one inside."""
    return registry.find(name) is not None or split_block(name) is not None


def split_block(name: object) -> tuple[str, AttentionInfo] | None:
    """Returns the block and the operator of a row's name such as `C3_CBAM`, `C2f_ECA` or `C3SE`; None if it is none.

    `CBAMBottleneck` is one too: what forks of YOLOv5 call a bottleneck with attention before its sum.
    """
    block, info, in_front = combination(name, BLOCKS) or ("", None, False)
    return (block, info) if info and (block == "Bottleneck" or not in_front) else None


def combination(name: object, modules: Sequence[str]) -> tuple[str, AttentionInfo, bool] | None:
    """Returns the module of `modules` and the operator that a name puts together, and whether the operator is in front.

    `SPPF_CBAM` is an SPPF and CBAM, `CBAMC3` CBAM in front of a C3; None where a name is nothing of the kind.
    """
    if not isinstance(name, str) or registry.find(name):
        return None
    name = name.removeprefix("yolo_attn.").removeprefix("nn.")
    for module in modules:
        if name.startswith(module) and (info := registry.find(name.removeprefix(module))):
            return module, info, False
        if name.endswith(module) and (info := registry.find(name.removesuffix(module))):
            return module, info, True
    return None


def read_options(
    info: AttentionInfo, args: list, here: Width, everywhere: Callable[[], Sequence[Width]] = tuple
) -> dict[str, object]:
    """Returns the options that a row's `args` set on the operator `info`, which are the same at every scale.

    The form to write is a mapping, `[{reduction: 8}]`, or nothing, `[]`. The bare numbers of rows in circulation are
    understood too: up to two channel numbers, then options by position. Every reading that fits the network at one of
    its file's scales, and the operator, is tried; exactly one network must come out. So no number that is a channel
    count at any scale is silently a ratio.

    Args:
        info: The operator.
        args: The row's arguments as YAML gives them.
        here: What arrives at the row at the scale that is built.
        everywhere: Returns the same for all scales of the file, where it has several. It is asked only where that can
            make a difference.

    Raises:
        AttentionError: An option is unknown or has the wrong type, or the numbers have no reading or several.
    """
    values, named = (args[:-1], args[-1]) if args and isinstance(args[-1], dict) else (args, {})
    check_options(info, named)
    found = _at(here, info, values, named)
    if not found or len(_distinct(_conceivable(info, values), info, named)) > 1:
        found = [reading for width in everywhere() or [here] for reading in _at(width, info, values, named)]
    meant: dict[str, tuple[dict, list[str]]] = {}
    for reading, scale in found:
        meant.setdefault(str(reading), (reading, []))[1].append(scale)
    if not meant:
        raise AttentionError(_no_reading(info, here.channels))
    if len(meant) > 1:
        raise AttentionError(_several(list(meant.values()), here.channels))
    return found[0][0]


def _at(width: Width, info: AttentionInfo, values: list, named: Mapping) -> list[tuple[dict, str]]:
    """Returns the distinct readings at one scale, each with the scale."""
    return [(reading, width.scale) for reading in _distinct(_readings(info, values, width), info, named)]


def _distinct(readings: Iterator[dict], info: AttentionInfo, named: Mapping) -> list[dict]:
    """Returns what `readings` and the `named` options build, each once; none that says an option twice."""
    found: list[dict] = []
    for options in readings:
        reading = {**info.options, **options, **named}
        if not options.keys() & named.keys() and reading not in found:
            found.append(reading)
    return found


def read_start(row: list) -> str | None:
    """Returns what a row's `[…, {start: identity}]` says, or None where it says nothing.

    Raises:
        AttentionError: It is no word that is known.
    """
    args = row[3]
    named = args[-1] if args and isinstance(args[-1], dict) else {}
    check_start(row[2], named)
    return named.get("start")


def check_start(name: str, named: Mapping) -> None:
    """Raises AttentionError where `named` has a `start` that is no word that is known."""
    if "start" in named and named["start"] not in STARTS:
        raise AttentionError(f"option 'start' of {name} must be {' or '.join(STARTS)}, got {shown(named['start'])}")


def write_start(row: list, start: str | None) -> None:
    """Makes a row say `start`, or nothing, in place."""
    named = args.pop() if (args := row[3]) and isinstance(args[-1], dict) else {}
    named = {name: value for name, value in named.items() if name != "start"} | ({"start": start} if start else {})
    row[3] = [*args, *([named] if named else [])]


def take_instead(row: list) -> str:
    """Takes `{instead: C2PSA}` out of a row, in place: the block whose place it has; returns it, or nothing.

    Raises:
        AttentionError: It is no text.
    """
    named = row[3][-1] if row[3] and isinstance(row[3][-1], dict) else {}
    if "instead" not in named:
        return ""
    block = named["instead"]
    if not isinstance(block, str) or not block:
        raise AttentionError(
            f"option 'instead' of {row[2]} must be the name of the block before it, got {shown(block)}"
        )
    rest = {name: value for name, value in named.items() if name != "instead"}
    row[3] = [*row[3][:-1], *([rest] if rest else [])]
    return block


def _readings(info: AttentionInfo, values: list, width: Width) -> Iterator[dict[str, object]]:
    """Yields every way to split `values` into leading channel numbers and options by position at one scale."""
    for leading, rest in _splits(values):
        if _mean_channels(leading, width):
            yield from (options for options in _options(info, rest) if _fits(options, width.channels))


def _conceivable(info: AttentionInfo, values: list) -> Iterator[dict[str, object]]:
    """Yields what `_readings` can yield, whatever arrives and however it is scaled, and perhaps more."""
    for leading, rest in _splits(values):
        if len(set(leading)) < 2 or all(value % 8 == 0 for value in leading):
            yield from _options(info, rest)


def _splits(values: list) -> Iterator[tuple[list[int], list]]:
    """Yields every way to split `values` into up to two leading whole numbers and the rest."""
    for count in range(min(2, len(values)) + 1):
        if all(map(is_whole, values[:count])):
            yield values[:count], values[count:]


def _options(info: AttentionInfo, rest: list) -> Iterator[dict[str, object]]:
    """Yields the options that values behind the channel numbers can be."""
    for written, meant in info.spellings:
        if [*map(repr, written)] == [*map(repr, rest)]:  # True is no 1 here
            yield dict(meant)
    if all(map(is_whole, rest)):
        for names in combinations(info.positional, len(rest)):
            if all(map(_is_plausible, names, rest)):
                yield dict(zip(names, rest, strict=True))


def _mean_channels(leading: list[int], width: Width) -> bool:
    """Tells whether all of `leading` name the arriving channels: as they are, or as written before width scaling."""
    return all(value == width.channels for value in leading) or all(
        value % 8 == 0 and width.scaled(value) == width.channels for value in leading
    )


def _is_plausible(option: str, value: int) -> bool:
    """Tells whether a bare number can be this option. The two kinds never meet: kernels are odd, ratios powers of 2."""
    if option == "kernel_size":
        return value % 2 == 1 and 0 < value < 32
    return 2 <= value <= 64 and value & (value - 1) == 0


def _fits(options: Mapping, channels: int) -> bool:
    """Tells whether no ratio among `options` takes all channels there are."""
    return all(name == "kernel_size" or value < channels for name, value in options.items() if is_whole(value))


def check_options(info: AttentionInfo, named: Mapping) -> None:
    """Raises AttentionError where the operator has no such option or it has another type."""
    for name, value in named.items():
        if name not in info.options:
            raise AttentionError(
                f"{info.name} has no option '{name}'; its options are {', '.join(info.options) or 'none'}"
            )
        default = info.options[name]
        if isinstance(default, bool):
            kind, fits = "true or false", isinstance(value, bool)
        elif isinstance(default, float):
            kind, fits = "a number", is_number(value)
        elif name in info.or_true:
            kind, fits = "a whole number or true", is_whole(value) or value is True
        else:
            kind, fits = "a whole number", is_whole(value)
        if not fits:
            raise AttentionError(f"option '{name}' of {info.name} must be {kind}, got {shown(value)}")


def is_whole(value: object) -> bool:
    """Tells whether a value is a whole number; True and False are none."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: object) -> bool:
    """Tells whether a value is a number; True and False are none, nor are .nan and .inf."""
    return is_whole(value) or (isinstance(value, float) and math.isfinite(value))


def _no_reading(info: AttentionInfo, channels: int) -> str:
    named = f" or name options, [{{{', '.join(f'{name}: …' for name in info.options)}}}]" if info.options else ""
    return (
        f"these arguments do not fit {info.name} where {channels} channels arrive; "
        f"write [] (channels are found by themselves){named}"
    )


def _several(meant: list[tuple[dict, list[str]]], channels: int) -> str:
    """Returns what to say of several readings, each with the scales at which it fits."""
    names = [name for name in meant[0][0] if len({str(reading[name]) for reading, _ in meant}) > 1]
    forms = [f"[{{{', '.join(f'{name}: {reading[name]}' for name in names)}}}]" for reading, _ in meant]
    if all(scales == meant[0][1] for _, scales in meant):
        where = f" where {channels} channels arrive"
    else:
        where = ", " + " and ".join(
            f"{form} at scale{'s' * (len(scales) > 1)} {', '.join(scales)}"
            for form, (_, scales) in zip(forms, meant, strict=True)
        )
    return f"these numbers have {len(meant)} meanings{where}; write {' or '.join(forms)}"
