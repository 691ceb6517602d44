"""Reading one attention row of a model YAML: what did its author mean by `[-1, 1, CBAM, [256, 7]]`?

Pure functions on plain values. The facts about the network (the channels that arrive, the width scaling) come from
Ultralytics' own parser through `yolo_attn.upstream.parse`.
"""

from collections.abc import Callable, Iterator, Mapping
from itertools import combinations

from yolo_attn import registry
from yolo_attn.errors import AttentionError
from yolo_attn.registry import AttentionInfo

IDENTITY, PAPER = STARTS = ("identity", "paper")  # what a row may say of its first step

# Ultralytics' blocks that are made of bottlenecks: attention goes inside these, before each residual sum.
BLOCKS = ("A2C2f", "Bottleneck", "BottleneckCSP", "C2", "C2f", "C2fAttn", "C3", "C3k2", "C3x", "RepNCSPELAN4")


def split_block(name: object) -> tuple[str, AttentionInfo] | None:
    """Returns the block and the operator of a row's name such as `C3_CBAM`, `C2f_ECA` or `C3SE`; None if it is none."""
    if not isinstance(name, str) or registry.find(name):
        return None
    name = name.removeprefix("yolo_attn.")
    for block in BLOCKS:
        if name.startswith(block) and (info := registry.find(name.removeprefix(block))):
            return block, info
    return None


def read_options(info: AttentionInfo, args: list, channels: int, scaled: Callable[[int], int]) -> dict[str, object]:
    """Returns the options that a row's `args` set on the operator `info`.

    The form to write is a mapping, `[{reduction: 8}]`, or nothing, `[]`. The bare numbers of rows in circulation are
    understood too: up to two channel numbers, then options by position. Every reading that fits the network and the
    operator is tried; exactly one network must come out.

    Args:
        info: The operator.
        args: The row's arguments as YAML gives them.
        channels: The channels that arrive at the row.
        scaled: What Ultralytics' width scaling makes of a channel number.

    Raises:
        AttentionError: An option is unknown or has the wrong type, or the numbers have no reading or several.
    """
    numbers, named = (args[:-1], args[-1]) if args and isinstance(args[-1], dict) else (args, {})
    check_options(info, named)
    readings = []
    for options in _readings(info, numbers, channels, scaled):
        if not options.keys() & named.keys():
            reading = {**info.options, **options, **named}
            if reading not in readings:
                readings.append(reading)
    if len(readings) == 1:
        return readings[0]
    if not readings:
        raise AttentionError(_no_reading(info, channels))
    option = next(name for name in info.options if len({str(reading[name]) for reading in readings}) > 1)
    forms = " or ".join(f"[{{{option}: {reading[option]}}}]" for reading in readings)
    raise AttentionError(f"these numbers have {len(readings)} meanings where {channels} channels arrive; write {forms}")


def read_start(row: list) -> str | None:
    """Returns what a row's `[…, {start: identity}]` says, or None where it says nothing.

    Raises:
        AttentionError: It is no word that is known.
    """
    args = row[3]
    start = args[-1].get("start") if args and isinstance(args[-1], dict) else None
    check_start(row[2], start)
    return start


def check_start(name: str, start: object) -> None:
    """Raises AttentionError where `start` is no word that is known."""
    if start not in (*STARTS, None):
        raise AttentionError(f"option 'start' of {name} must be {' or '.join(STARTS)}, got {start!r}")


def write_start(row: list, start: str | None) -> None:
    """Makes a row say `start`, or nothing, in place."""
    named = args.pop() if (args := row[3]) and isinstance(args[-1], dict) else {}
    named = {name: value for name, value in named.items() if name != "start"} | ({"start": start} if start else {})
    row[3] = [*args, *([named] if named else [])]


def _readings(
    info: AttentionInfo, numbers: list, channels: int, scaled: Callable[[int], int]
) -> Iterator[dict[str, object]]:
    """Yields every way to split `numbers` into leading channel numbers and options by position."""
    for count in range(min(2, len(numbers)) + 1):
        leading, rest = numbers[:count], numbers[count:]
        if not all(_is_whole(value) for value in numbers) or not _mean_channels(leading, channels, scaled):
            continue
        for options in combinations(info.positional, len(rest)):
            if all(_plausible(name, value, channels) for name, value in zip(options, rest, strict=True)):
                yield dict(zip(options, rest, strict=True))


def _mean_channels(leading: list[int], channels: int, scaled: Callable[[int], int]) -> bool:
    """Tells whether all of `leading` name the arriving channels: as they are, or as written before width scaling."""
    return all(value == channels for value in leading) or all(
        value % 8 == 0 and scaled(value) == channels for value in leading
    )


def _plausible(option: str, value: int, channels: int) -> bool:
    """Tells whether a bare number can be this option. The two kinds never meet: kernels are odd, ratios powers of 2."""
    if option == "kernel_size":
        return value % 2 == 1 and 0 < value < 32
    return 2 <= value <= 64 and value & (value - 1) == 0 and value < channels


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
            kind, fits = "a number", isinstance(value, float) or _is_whole(value)
        else:
            kind, fits = "a whole number", _is_whole(value)
        if not fits:
            raise AttentionError(f"option '{name}' of {info.name} must be {kind}, got {value!r}")


def _no_reading(info: AttentionInfo, channels: int) -> str:
    named = f" or name an option, [{{{next(iter(info.options))}: …}}]" if info.options else ""
    return (
        f"these arguments do not fit {info.name} where {channels} channels arrive; "
        f"write [] (channels are found by themselves){named}"
    )


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
