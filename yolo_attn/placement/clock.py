"""What attention at each place takes, in milliseconds: measured here in exported files, or read off a device's CSV."""

import json
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from torch import nn
from ultralytics import YOLO

from yolo_attn.device import latency
from yolo_attn.device.profile import Times
from yolo_attn.errors import AttentionError
from yolo_attn.evidence import cost
from yolo_attn.evidence.layers import attention
from yolo_attn.evidence.layers import network as network_of
from yolo_attn.export.staging import beside
from yolo_attn.placement.everywhere import Everywhere
from yolo_attn.surgery import recipe

BASE = "base"  # the stem of the base's file


class Clock(Protocol):
    """Something that tells the times. `base` are the milliseconds of the network without attention."""

    base: float

    def times(self, operator: str, network: nn.Module) -> dict[str, float]:
        """Returns the milliseconds of each place at which a network has attention."""
        ...


class Here:
    """One thread of this CPU. Every network is exported and measured anew; the base once, and kept in a file."""

    def __init__(self, base: YOLO, places: Everywhere, imgsz: int, kept: Path):
        self.model, self.places, self.imgsz = base, places, imgsz
        if not kept.is_file():
            found = self._measured(network_of(base), [])
            said = {name: statistics.median(getattr(one, name) for one in found) for name in ("whole", "changes")}
            kept.parent.mkdir(parents=True, exist_ok=True)
            with beside(kept) as folder:
                (folder / kept.name).write_text(json.dumps(said), encoding="utf-8")
                (folder / kept.name).replace(kept)
        said = json.loads(kept.read_text(encoding="utf-8"))
        self.base, self.changes = said["whole"] / 1e3, said["changes"]

    def times(self, operator: str, network: nn.Module) -> dict[str, float]:
        found = [one.own(self.changes) for one in self._measured(network, list(attention(network)))]
        median = {path: statistics.median(one[path] for one in found) for path in found[0]}
        return by_place(median, self.places.paths(network))

    def _measured(self, network: Any, paths: list[str]) -> list[Times]:
        with tempfile.TemporaryDirectory() as folder:
            file, shape = cost.exported(self.model, network, self.imgsz, Path(folder, "network.pt"))
            return [cost.times(file, shape, paths) for _ in range(cost.ROUNDS)]


class Device:
    """The times that `yolo-attn latency` measured on a device of attention everywhere; they stay as they are."""

    def __init__(self, file: Path, places: Everywhere, operators: Sequence[str]):
        measured = latency.read(file)
        if missing := [name for name in (BASE, *operators) if f"{name}.onnx" not in measured]:
            raise AttentionError(f"latency={file} has no times of {missing[0]}.onnx; it has {', '.join(measured)}")
        base = measured[f"{BASE}.onnx"]
        self.places, self.base, self.known = places, base.whole / 1e3, {}
        for operator in operators:
            own = measured[f"{operator}.onnx"].own(base.changes)
            rows = recipe.all_rows(places.model(operator, places.places))
            try:
                paths = places.by_word(rows, own)
            except (KeyError, ValueError, IndexError):
                paths = {}
            if set(paths) != set(places.places):
                raise AttentionError(f"latency={file} has {operator}.onnx of another base: measure it again")
            self.known[operator] = by_place(own, paths)

    def times(self, operator: str, network: nn.Module) -> dict[str, float]:
        return {word: self.known[operator][word] for word in self.places.paths(network)}


def by_place(times: Mapping[str, float], paths: Mapping[str, list[str]]) -> dict[str, float]:
    """Returns the time of each place: that of its layers together."""
    return {word: sum(times[path] for path in found) for word, found in paths.items()}


def write_files(base: YOLO, networks: Mapping[str, nn.Module], imgsz: int, folder: Path) -> list[Path]:
    """Exports the base and the networks with attention everywhere for a device to measure; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    with tempfile.TemporaryDirectory() as name:
        for stem, network in {BASE: network_of(base), **networks}.items():
            file, _ = cost.exported(base, network, imgsz, Path(name, f"{stem}.pt"))
            files.append(folder / file.name)
            files[-1].write_bytes(file.read_bytes())
    return files
