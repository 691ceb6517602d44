"""`yolo-attn slim`: the dense 7×7 convolutions of a trained network's GAMs as separable ones, and what that loses."""

import copy
import functools
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn
from ultralytics import YOLO
from ultralytics.utils import LOGGER

from yolo_attn.errors import AttentionError
from yolo_attn.evidence import checkpoint, cost, layers, plan, ranks, sample, separable, validation, worth
from yolo_attn.evidence.options import SlimOptions
from yolo_attn.evidence.quiet import quiet
from yolo_attn.evidence.ranks import Time
from yolo_attn.evidence.validation import Measured, Validation
from yolo_attn.export.staging import beside
from yolo_attn.nn import GAM
from yolo_attn.surgery import recipe

SEVENS = ("spatial_attention.0", "spatial_attention.3")  # a dense GAM's 7×7 convolutions
TRAINERS = ("model", "resume", "save_dir")  # of yolo train's arguments, those that a fine-tuning sets itself


@dataclass
class Fitted:
    """The factors of each convolution by its path, and how well they do at each rank that was tried."""

    factors: dict[str, separable.Factors]
    fits: dict[str, dict[int, separable.Fit]]

    def errors(self, rows: Mapping[int, list[str]]) -> dict[int, dict[int, float]]:
        """Returns each row's error at its ranks: that of the convolution which comes off worst."""
        found = {}
        for row, paths in rows.items():
            fits = [self.fits[f"{path}.{name}"] for path in paths for name in SEVENS]
            found[row] = {rank: max(fit[rank].error for fit in fits) for rank in fits[0]}
        return found


def command(options: SlimOptions) -> int:
    """Makes the GAMs separable, measures what is lost, and writes the checkpoint; 0 when it is done.

    Raises:
        AttentionError: Something is missing or there already, there is no dense GAM, a rank, an error or a time cannot
            be had, or more is lost than `max_loss`. The checkpoint is not written then.
    """
    model = layers.load(options.model)
    rows = dense(layers.network(model), options.model)
    tried = asked(options, layers.network(model), rows)
    budget = ranks.read_budget(options.budget) if options.budget else None
    trained = plan.read(options.arguments, "slim", TRAINERS)
    if trained and not options.epochs:
        raise AttentionError(
            f"{next(iter(trained))}= is for the trainer: it needs epochs=..., those of the fine-tuning"
        )
    place = checkpoint.check_place(options.o, options.exist_ok, "slim")
    for split in ("train", options.split):
        validation.check_data(model, options.data, split)
    with beside(place, options.exist_ok) as folder:
        file = folder / place.name
        LOGGER.info(f"Fitting {2 * sum(map(len, rows.values()))} convolutions to images of {options.data}...")
        found = fitted(options, rows, tried)
        errors = found.errors(rows)
        LOGGER.info("Timing the attention in an exported file...")
        before = time_of(model, layers.network(model), rows, options.imgsz)
        if budget and budget.holds(before):
            raise AttentionError(f"GAM of {options.model} takes {before}, which is within budget={budget} as it is")

        @functools.cache
        def timed(*of_rows: int) -> Time:
            network = slimmed(layers.network(model), rows, found, dict(zip(rows, of_rows, strict=True)))
            return time_of(model, network, rows, options.imgsz)

        if budget:
            chosen = ranks.for_time(errors, budget, timed)
        elif options.mse:
            chosen = ranks.for_error(errors, options.mse)
        else:
            chosen = dict.fromkeys(rows, options.rank)
        network = slimmed(layers.network(model), rows, found, chosen)
        after = timed(*chosen.values())
        LOGGER.info("\n" + table(layers.network(model), network, rows, chosen, errors, before, after))
        LOGGER.info(f"\nGAM takes {before} before, {after} after; ONNX Runtime, one thread of this CPU.")
        checkpoint.save(model, network, file)
        judge(options, model, file, trained)
        said = ", ".join(f"{rank} in row {row}" for row, rank in chosen.items())
        checkpoint.put(file, place, f"{options.model} with GAM of rank {said}")
    LOGGER.info(f"{place} and its YAML are {options.model} with GAM of rank {said}")
    return 0


def dense(network: nn.Module, file: str) -> dict[int, list[str]]:
    """Returns the paths of the dense GAMs, by the row that they are of or in.

    Raises:
        AttentionError: There is none.
    """
    gams = {path: layer for path, layer in layers.attention(network).items() if isinstance(layer, GAM)}
    if not gams:
        there = ", ".join(dict.fromkeys(type(layer).__name__ for layer in layers.attention(network).values()))
        raise AttentionError(f"{file} has no GAM, whose 7×7 convolutions slim makes separable; it has {there}")
    found: dict[int, list[str]] = {}
    for path, layer in gams.items():
        if layer.groups == 1 and not layer.rank and not layer.depthwise:
            found.setdefault(layers.row(path), []).append(path)
    if not found:
        path, layer = next(iter(gams.items()))
        form = (
            f"groups={layer.groups}" if layer.groups > 1 else "depthwise" if layer.depthwise else f"rank={layer.rank}"
        )
        why = "has convolutions in groups" if layer.groups > 1 else "is separable already"
        raise AttentionError(
            f"GAM of {file} {why} ({path}: {form}); slim takes the dense form, such as yolov5s-gam.yaml"
        )
    return found


def asked(options: SlimOptions, network: nn.Module, rows: Mapping[int, list[str]]) -> dict[int, list[int]]:
    """Returns the ranks that are tried in each row.

    Raises:
        AttentionError: None or several of `rank`, `mse` and `budget` are told, or there is no such rank.
    """
    if (bool(options.rank) + bool(options.mse) + bool(options.budget)) != 1:
        raise AttentionError("'yolo-attn slim' needs one of rank=16, mse=0.1 and budget=5%: how slim it is to be")
    tried = {}
    for row, paths in rows.items():
        gam: Any = network.get_submodule(paths[0])
        hidden = gam.channels // gam.reduction
        if options.rank > 7 * hidden:
            raise AttentionError(f"rank={options.rank} is more than row {row} can have: {7 * hidden} make it whole")
        tried[row] = [options.rank] if options.rank else ranks.ladder(gam.channels, hidden)
        if not tried[row]:
            raise AttentionError(f"GAM of row {row} has {hidden} hidden channels: no separable form has fewer weights")
    return tried


def fitted(options: SlimOptions, rows: Mapping[int, list[str]], tried: Mapping[int, list[int]]) -> Fitted:
    """Returns the factors of each convolution, fitted to what it meets, and how well each rank does there."""
    model = layers.load(options.model)
    network = layers.unfused(model)
    convs: dict[str, Any] = {
        f"{path}.{name}": network.get_submodule(f"{path}.{name}")
        for paths in rows.values() for path in paths for name in SEVENS
    }  # fmt: skip
    arguments = validation.arguments(options)
    inputs = {path: separable.Inputs(conv) for path, conv in convs.items()}

    def look():
        return [conv.register_forward_pre_hook(lambda _, given, path=path: inputs[path].see(given[0]))
                for path, conv in convs.items()]  # fmt: skip

    sample.run(model, look, **arguments)
    found = {path: separable.factors(conv, inputs[path].covariance()) for path, conv in convs.items()}
    inputs.clear()
    responses = {path: separable.Responses(conv, found[path], tried[layers.row(path)]) for path, conv in convs.items()}

    def compare():
        return [conv.register_forward_hook(lambda _, given, y, path=path: responses[path].see(given[0], y))
                for path, conv in convs.items()]  # fmt: skip

    sample.run(model, compare, **arguments)
    return Fitted(found, {path: one.fits() for path, one in responses.items()})


def slimmed(network: nn.Module, rows: Mapping[int, list[str]], found: Fitted, chosen: Mapping[int, int]) -> nn.Module:
    """Returns a new network whose GAMs of these rows are of these ranks; every other tensor is the same."""
    old: Any = network
    text, state = copy.deepcopy(old.yaml), old.state_dict()
    for row, rank in chosen.items():
        text = recipe.with_option(text, row, "rank", rank)
        for path in (f"{one}.{name}" for one in rows[row] for name in SEVENS):
            conv = old.get_submodule(path)
            for name in conv.state_dict():
                del state[f"{path}.{name}"]
            made = separable.state(conv, found.factors[path], rank, found.fits[path][rank].shift)
            state |= {f"{path}.{name}": tensor for name, tensor in made.items()}
    new = checkpoint.built(old, text, state)
    for path, layer in layers.attention(new).items():
        layer.follow(old.get_submodule(path))
    return new


def time_of(model: YOLO, network: nn.Module, rows: Mapping[int, list[str]], imgsz: int) -> Time:
    """Returns what the GAMs of these rows take in a network's exported file; `model` holds what else is saved."""
    with tempfile.TemporaryDirectory() as folder, quiet():
        file = Path(folder, "timed.pt")
        checkpoint.save(model, network, file)
        times = cost.milliseconds(layers.load(file), imgsz)
    own = {row: sum(times[path] for path in paths) for row, paths in rows.items()}
    return Time(own, times[""] - sum(own.values()))


def judge(options: SlimOptions, model: YOLO, file: Path, trained: Mapping[str, Any]) -> None:
    """Measures what the checkpoint `file` loses, trains it where that was asked for, and measures it again.

    Raises:
        AttentionError: It loses more than is allowed.
    """
    whole = measured(Path(options.model), options)
    lost, said = loss(model, whole, measured(file, options))
    LOGGER.info(said)
    if options.epochs:
        tune(options, file, trained)
        lost, said = loss(model, whole, measured(file, options))
        LOGGER.info(f"After {options.epochs} epochs: {said}")
    if lost > options.max_loss:
        raise AttentionError(
            f"max_loss={options.max_loss:g}, and {said} {options.o} was not written: allow more, or give it a "
            "higher rank, or epochs=10"
        )


def measured(file: Path, options: SlimOptions) -> Validation:
    """Returns what `yolo val` finds of a checkpoint."""
    with quiet():
        return validation.validate(layers.load(file), {}, **validation.arguments(options))


def loss(model: YOLO, whole: Validation, slim: Validation) -> tuple[float, str]:
    """Returns the points that are lost, and a sentence with their interval."""
    before, after = (one.measured[""] for one in (whole, slim))
    both: dict[str, Measured] = {"": before, "slim": after}
    found, _ = worth.worths(Validation(both, {}, whole.names))["slim"]
    points = " to ".join(f"{worth.POINTS * one.accuracy:.2f}" for one in (before, after))
    return found.lost, (
        f"{validation.measure(model)} goes from {points}, a loss of {found} on {before.outcome.images} images."
    )


def tune(options: SlimOptions, file: Path, trained: Mapping[str, Any]) -> None:
    """Trains the checkpoint `file` with the stock trainer, in a folder of runs, and puts the best in its place."""
    model = YOLO(file)
    given = validation.arguments(options)
    model.train(
        **{name: value for name, value in given.items() if name != "split"}, **trained, epochs=options.epochs,
        project=str(Path(options.project).resolve()), name=options.name or file.stem, exist_ok=options.exist_ok,
    )  # fmt: skip
    trainer: Any = model.trainer
    shutil.copyfile(trainer.best if trainer.best.exists() else trainer.last, file)


def table(
    old: nn.Module, new: nn.Module, rows: Mapping[int, list[str]], chosen: Mapping[int, int],
    errors: Mapping[int, Mapping[int, float]], before: Time, after: Time,
) -> str:  # fmt: skip
    """Returns a line for each row as a Markdown table."""
    heads = ("row", "layer", "rank", "error", "M parameters", "to", "ms", "to")

    def size(network: nn.Module, paths: list[str]) -> str:
        return f"{sum(p.numel() for path in paths for p in network.get_submodule(path).parameters()) / 1e6:.3f}"

    return worth.markdown(heads, (
        [str(row), ", ".join(paths), str(chosen[row]), f"{errors[row][chosen[row]]:.3f}", size(old, paths),
         size(new, paths), f"{before.rows[row]:.2f}", f"{after.rows[row]:.2f}"]
        for row, paths in rows.items()
    ))  # fmt: skip
