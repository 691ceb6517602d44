"""Ultralytics' own `parse_model`, with its errors in one line, and what it knows at an attention row.

The channels that arrive at a row come from the parser itself: the rows up to the last attention are built once on the
meta device, which holds no data, with a probe in each attention row's place.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

import torch
from ultralytics.nn import tasks
from ultralytics.utils.ops import make_divisible

from yolo_attn.errors import AttentionError, brief
from yolo_attn.surgery.check import file, where
from yolo_attn.surgery.forms import copied
from yolo_attn.surgery.recipe import all_rows
from yolo_attn.surgery.rows import Width
from yolo_attn.upstream.ownership import PREFIX

PROBE = f"{PREFIX}ChannelProbe"
original = tasks.parse_model


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


def build(d: dict, ch: int, verbose: bool) -> tuple[torch.nn.Sequential, list[int]]:
    """Builds a model as Ultralytics does.

    Raises:
        AttentionError: A row cannot be built; the message names it and gives what Ultralytics or torch said.
    """
    try:
        return original(d, ch, verbose)
    except AttentionError:
        raise
    except Exception as error:  # a row whose numbers mean nothing ends in whatever its constructor raises
        i = row_of(error)
        row, mend = (file(d), "") if i is None else (where(d, i), "; mend its arguments")
        raise AttentionError(f"{row}: ultralytics cannot build it ({brief(error)}){mend}") from error


def row_of(error: BaseException) -> int | None:
    """Returns the row that `parse_model` was at when an error was raised, or None where it was at none."""
    traceback = error.__traceback__
    while traceback and traceback.tb_frame.f_code is not getattr(original, "__code__", None):
        traceback = traceback.tb_next
    return traceback.tb_frame.f_locals.get("i") if traceback else None


def probe_channels(d: dict, ch: int, attention: Iterable[int], inside: Iterable[int] = ()) -> dict[int, Any]:
    """Returns a probe for each row in `attention`, holding the channels that arrive there, and the rows of `inside`."""
    d = copied(d)
    if d.get("scales"):
        d["scale"] = own_scale(d)  # parse_model warns where it chooses by itself; once is enough
    rows = all_rows(d)
    wanted = {*attention, *inside}
    for i in attention:
        rows[i][1:] = [1, PROBE, list(ChannelProbe.ARGUMENTS)]
    with torch.device("meta"):
        layers, _ = build({**d, "backbone": rows[: max(wanted) + 1], "head": []}, ch, verbose=False)
    return {i: layers[i] for i in wanted}


def probe_scales(d: dict, ch: int, attention: Iterable[int]) -> dict[str, dict[int, Any]]:
    """Returns `probe_channels` at each scale of a file; a scale that cannot be built is left out."""
    found = {}
    for scale in d.get("scales") or ():
        with suppress(AttentionError):
            found[scale] = probe_channels({**d, "scale": scale}, ch, attention)
    return found


def own_scale(d: Mapping) -> str:
    """Returns the scale that a model dict is built at, as parse_model chooses it; nothing where it has none."""
    return d.get("scale") or next(iter(d.get("scales") or {}), "")


def width(probe: Any, scale: str) -> Width:
    """Returns what a probe has met at a scale."""
    return Width(probe.channels, probe.scaled, scale)
