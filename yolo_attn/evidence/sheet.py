"""The contact sheet of a picture: a row for each attention layer, drawn by matplotlib."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from yolo_attn.evidence.changes import Box, Changes
from yolo_attn.evidence.gates import Seen, over_picture

MAP = "cividis"  # the same to those who see no red or no green
LOST, GAINED, KEPT = "#D55E00", "#56B4E9", "#F0F0F0"
CELL = (4.2, 3.4)  # inches
LEGEND = (
    "left: where the gate is large, the mean of its\nchannels; a is the share of it that counts\n\n"
    "below: the gate of each channel, the mean of\nits places, the largest first",
    "below: the same layer with weights that\nhave learnt nothing, for comparison",
    "below: what is found without the layer\norange: lost, blue: gained, white: as before",
)


class Row(NamedTuple):
    """What a sheet says of one layer. `changes` are boxes, or a classifier's scores in words."""

    path: str
    seen: Seen
    changes: Changes | str


def write(
    file: Path, picture: np.ndarray, boxes: Sequence[Box], names: Mapping[int, str], network_size, rows: Sequence[Row]
) -> None:
    """Draws a sheet.

    Args:
        file: The PNG to write.
        picture: The picture `(H, W, 3)`, RGB.
        boxes: What is found in it.
        names: The classes' names.
        network_size: Height and width of what went into the network.
        rows: The layers.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4 * CELL[0], (len(rows) + 1) * CELL[1]), layout="constrained")
    axes = figure.subplots(len(rows) + 1, 4, squeeze=False)
    for cell in axes.flat:
        cell.set_axis_off()
    axes[0, 0].imshow(picture)
    axes[0, 0].set_title("what is found")
    for box in boxes:
        _draw(axes[0, 0], box, KEPT, f"{names[box.cls]} {box.score:.2f}")
    for cell, said in zip(axes[0, 1:], LEGEND, strict=True):
        cell.text(0, 0, said, fontsize=10, linespacing=1.6)
    for row, cells in zip(rows, axes[1:], strict=True):
        _spatial(figure, cells[0], picture, row.seen, network_size, f"{row.path} {type(row.seen.layer).__name__}")
        _channels(cells[1], row.seen)
        _spatial(figure, cells[2], picture, row.seen.at_random(), network_size, "with random weights")
        _changes(cells[3], picture, row.changes)
    figure.savefig(file, dpi=90, facecolor="white")


def _spatial(figure, axes, picture: np.ndarray, seen: Seen, network_size, title: str) -> None:
    shares = [float(share) for share in seen.layer.shares() if share is not None]
    axes.set_title(title + (f", a = {', '.join(f'{share:.2f}' for share in shares)}" if shares else ""), fontsize=10)
    spatial = seen.spatial
    if spatial is None:
        said = "is no gate: it adds to the map" if seen.gate is None else "has the same gate in every place"
        axes.text(0.5, 0.5, f"{type(seen.layer).__name__}\n{said}", ha="center", va="center")
        return
    values = over_picture(spatial, network_size, picture.shape[:2])
    axes.imshow(picture.mean(2), cmap="gray")
    shown = axes.imshow(values.cpu(), cmap=MAP, alpha=0.65, vmin=0, vmax=max(float(values.max()), 1e-6))
    figure.colorbar(shown, ax=axes, shrink=0.8)


def _channels(axes, seen: Seen) -> None:
    channels = seen.channels
    if channels is None:
        said = "no gate of channels" if seen.gate is None else "all channels have the same gate"
        axes.text(0.5, 0.5, said, ha="center", va="center")
        return
    axes.set_axis_on()
    values = torch.sort(channels, descending=True).values.cpu()
    axes.imshow(
        values[None], cmap=MAP, aspect="auto", vmin=0, vmax=max(float(values.max()), 1e-6),
        extent=(0, len(values), 0, max(float(values.max()), 1e-6)),
    )  # fmt: skip
    axes.plot(np.arange(len(values)) + 0.5, values, color="white", lw=3)
    axes.plot(np.arange(len(values)) + 0.5, values, color="black", lw=1.2)
    axes.set_title(f"{len(values)} channels, sorted", fontsize=10)


def _changes(axes, picture: np.ndarray, changes: Changes | str) -> None:
    axes.imshow(picture)
    axes.set_title(str(changes), fontsize=9, wrap=True)
    if isinstance(changes, str):
        return
    for _, without in changes.kept:
        _draw(axes, without, KEPT)
    for box in changes.lost:
        _draw(axes, box, LOST)
    for box in changes.gained:
        _draw(axes, box, GAINED)


def _draw(axes, box: Box, colour: str, label: str = "") -> None:
    from matplotlib.patches import Rectangle

    x1, y1, x2, y2 = box.corners
    axes.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, ec=colour, lw=2))
    if label:
        axes.text(x1, y1, label, fontsize=7, color="black", backgroundcolor=colour, va="bottom")
