"""What a comparison will be, looked at before a second is spent: models, data, disk, time, and what it could find."""

import shutil
import time
from collections.abc import Collection, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from ultralytics import YOLO
from ultralytics.cfg import check_dict_alignment, get_cfg, smart_value
from ultralytics.data.utils import IMG_FORMATS
from ultralytics.utils import DEFAULT_CFG_DICT
from ultralytics.utils.torch_utils import select_device

from yolo_attn.errors import AttentionError, brief
from yolo_attn.evidence import cells, latency, widths
from yolo_attn.evidence.cells import AGAIN, ATTENTION, BASE, SCALE, WIDE, Cell
from yolo_attn.evidence.comparison import OURS, Comparison
from yolo_attn.evidence.layers import network
from yolo_attn.evidence.ledger import State
from yolo_attn.evidence.options import CompareOptions
from yolo_attn.evidence.quiet import quiet
from yolo_attn.evidence.verdict import smallest_difference
from yolo_attn.upstream import layout

BYTES = 16  # on disk for each parameter while it trains: two checkpoints, each with an average and its optimizer
BYTES_DONE = 4  # and when it is done: two in half precision
ROLES = {BASE: "the base", AGAIN: "the base, other seeds", ATTENTION: "", SCALE: "control: the next scale"}
ROLES |= {WIDE: "control: the base, widened to the slowest one's time"}


def make(options: CompareOptions) -> Comparison:
    """Returns the comparison that was asked for, with its controls.

    Raises:
        AttentionError: There is no such model, or an argument is wrong.
    """
    base = cells.base_of(options.base)
    wanted = cells.with_attention(base, options.attention)
    arguments = read(options.arguments)
    if options.base.endswith(".pt"):
        arguments.setdefault("pretrained", str(Path(options.base).resolve()))
    for cell in (base, *wanted):
        check_model(cell.model)
    folder = (Path(options.project) / (options.name or base.name)).resolve()
    found, missing = [base, cells.again(base), *wanted], []
    if options.controls:
        larger = cells.next_scale(base, exists)
        slowest = slowest_of(wanted, size(arguments))
        wide = widths.widened(base, slowest, size(arguments), folder / "models")
        found += [cell for cell in (larger, wide) if isinstance(cell, Cell)]
        missing += [] if larger else [f"the next scale: {base.name} has none"]
        missing += [] if isinstance(wide, Cell) else [f"a wider base: {wide}"]
    else:
        found.remove(cells.again(base))
        missing.append("all of them: controls=False")
    return Comparison(
        folder, tuple(found), options.seeds, options.epochs, options.margin, options.data, arguments, tuple(missing)
    )


def read(arguments: Mapping[str, str], command: str = "compare", ours: Collection[str] = OURS) -> dict[str, Any]:
    """Returns the values of the trainings' arguments.

    Args:
        arguments: What was typed.
        command: The command that it was typed for.
        ours: The arguments that the command sets itself.

    Raises:
        AttentionError: `yolo train` has no such argument or value, or the command sets it itself.
    """
    if own := [name for name in arguments if name in ours]:
        raise AttentionError(f"'yolo-attn {command}' sets {own[0]}= itself for every run: leave it out")
    values = {name: smart_value(text) for name, text in arguments.items()}
    try:
        check_dict_alignment(DEFAULT_CFG_DICT, values)
        get_cfg(overrides=dict(values))
    except (SyntaxError, ValueError, TypeError) as error:
        raise AttentionError(f"'yolo train' does not take {values}: {brief(error)}") from None
    size(values)
    return values


def size(arguments: Mapping[str, Any]) -> int:
    """Returns the image's side in pixels that trainings with these arguments have.

    Raises:
        AttentionError: It is no whole number.
    """
    side = arguments.get("imgsz", DEFAULT_CFG_DICT["imgsz"])
    if not isinstance(side, int) or side < 32:
        raise AttentionError(f"imgsz must be a whole number of pixels from 32 on, got '{side}'")
    return side


def check_model(model: str) -> YOLO:
    """Builds a model.

    Raises:
        AttentionError: There is no such model, or it cannot be built.
    """
    try:
        with quiet():
            return YOLO(model)
    except AttentionError:
        raise
    except Exception as error:  # whatever Ultralytics makes of it
        raise AttentionError(f"{model} cannot be built: {brief(error)}") from None


def exists(model: str) -> bool:
    """Tells whether there is a model of a name."""
    try:
        layout.load(model)
    except AttentionError:
        return False
    return True


def slowest_of(models: list[Cell], imgsz: int) -> Cell:
    """Returns the model whose exported file takes longest."""
    if len(models) == 1:
        return models[0]
    times = latency.of_models({cell.name: cell.model for cell in models}, imgsz)
    return max(models, key=lambda cell: times[cell.name])


def pictures(part: Any) -> int:
    """Returns how many images a part of a data set has: a folder, a list of images, or several of them."""
    total = 0
    for path in map(Path, part if isinstance(part, list) else [part]):
        if path.is_dir():
            total += sum(file.suffix[1:].lower() in IMG_FORMATS for file in path.rglob("*"))
        elif path.is_file():
            total += len(path.read_text(encoding="utf-8").split("\n"))
    return total


def check_room(comparison: Comparison) -> None:
    """Looks whether what is still to be run fits on the disk.

    Raises:
        AttentionError: It does not.
    """
    parameters = {cell.name: parameters_of(check_model(cell.model)) for cell in comparison.cells}
    left = [run for run in comparison.runs() if run.state(comparison.epochs) is not State.DONE]
    need = sum(BYTES_DONE * parameters[run.cell.name] for run in left) + BYTES * max(parameters.values())
    there = next(folder for folder in (comparison.folder, *comparison.folder.parents) if folder.is_dir())
    if (free := shutil.disk_usage(there).free) < need:
        raise AttentionError(
            f"{comparison.folder} needs about {need / 1e9:.1f} GB for {len(left)} runs, and its disk has "
            f"{free / 1e9:.1f} GB: make room, or name another folder, project=…"
        )


def parameters_of(model: YOLO) -> int:
    """Returns how many parameters a model has."""
    return sum(parameter.numel() for parameter in network(model).parameters())


def seconds(comparison: Comparison, data: Mapping[str, Any]) -> float:
    """Returns about how long what is still to be run takes, from a training step of each model on the device."""
    part = float(comparison.arguments.get("fraction", 1.0))
    images = part * pictures(data["train"]) + pictures(data.get("val") or data.get("test")) / 3  # forward alone
    device = select_device(comparison.arguments.get("device") or "", verbose=False)
    steps = {}
    for run in comparison.runs():
        if run.cell.name not in steps:
            steps[run.cell.name] = step(network(check_model(run.cell.model)).to(device), size(comparison.arguments))
    left = (run for run in comparison.runs() if run.state(comparison.epochs) not in (State.DONE, State.FAILED))
    return sum((comparison.epochs - len(run.rows())) * images * steps[run.cell.name] for run in left)


def step(model: torch.nn.Module, imgsz: int, batch: int = 4) -> float:
    """Returns the seconds that a step forward and back takes for each image."""
    device = next(model.parameters()).device
    model.train()
    taken = 0.0
    for _ in range(2):  # the first makes ready
        began = time.perf_counter()
        images = torch.rand(batch, 3, imgsz, imgsz, device=device)
        torch.stack([values.float().sum() for values in tensors(model(images))]).sum().backward()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        taken = time.perf_counter() - began
    return taken / batch


def tensors(output: Any) -> Iterator[torch.Tensor]:
    """Yields what a network gives while it trains: another structure for each head."""
    if isinstance(output, torch.Tensor):
        if output.requires_grad:
            yield output
    elif isinstance(output, (dict, list, tuple)):
        for value in output.values() if isinstance(output, dict) else output:
            yield from tensors(value)


def text(comparison: Comparison, left: float) -> str:
    """Returns what a comparison will be, in lines; `left` are the seconds that it takes."""
    runs = comparison.runs()
    done = sum(run.state(comparison.epochs) is State.DONE for run in runs)
    effect = smallest_difference(1.0, comparison.seeds, len(comparison.compared))
    width = max(len(cell.name) for cell in comparison.cells)
    return "\n".join(
        [
            f"{len(comparison.cells)} models, {comparison.seeds} seeds each, {comparison.epochs} epochs on "
            f"{comparison.data}: {len(runs)} runs in {comparison.folder}",
            *(f"  {cell.name:<{width}}  {ROLES[cell.role]}".rstrip() for cell in comparison.cells),
            *(f"  without {reason}" for reason in comparison.missing),
            f"{done} are done; the rest takes about {timedelta(seconds=round(left))}, loading the data not counted",
            f"so many seeds find a difference of {effect:.1f} times its standard deviation between two runs in 9 of 10 "
            "comparisons: in points once the base's runs are in",
            f"up to ±{comparison.margin:g} points count as no difference (margin=)",
        ]
    )
