"""`yolo-attn place`: where to put which attention, within a budget of time.

Attention is put everywhere and trained shortly; what is not worth its time goes, one place after the other; what is
left starts again from the base with all epochs, beside the base, random places and the usual ones, on images that the
search has not seen. It can be stopped at any moment, and killed: the same command goes on from what the folder holds.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from filelock import FileLock, Timeout
from torch import nn
from ultralytics.utils import LOGGER

from yolo_attn.errors import AttentionError
from yolo_attn.evidence import compare, layers
from yolo_attn.evidence.cells import ATTENTION, Cell
from yolo_attn.evidence.comparison import Comparison
from yolo_attn.evidence.ledger import State
from yolo_attn.evidence.options import CompareOptions
from yolo_attn.placement import answer, asked, clock, report, search, split
from yolo_attn.placement.asked import Asked
from yolo_attn.placement.clock import Clock
from yolo_attn.placement.everywhere import built
from yolo_attn.placement.options import PlaceOptions
from yolo_attn.placement.search import Search, Step
from yolo_attn.placement.split import Split

MODELS, SEARCH, CONFIRM = "models", "search", "confirm"


class Fitting(NamedTuple):
    """The clock, the budget in milliseconds, and the times of each operator of which some place fits it."""

    clock: Clock
    budget: float
    times: dict[str, dict[str, float]]


def command(options: PlaceOptions) -> int:
    """Searches, confirms and reports; returns the exit status, 1 where a run failed or is missing.

    Raises:
        AttentionError: What was asked for cannot be done.
    """
    wanted = asked.read(options)
    halves = split.halves(wanted.data, wanted.folder / "split")
    try:
        with FileLock(wanted.folder / ".lock", timeout=0):
            fitting = measured(wanted)
            asked.save(wanted)
            return worked(wanted, halves, fitting)
    except Timeout:
        raise AttentionError(f"another command is at work in {wanted.folder}: wait for it, or give a name=…") from None
    except KeyboardInterrupt:
        LOGGER.info(f"\nstopped: the same command goes on with what {wanted.folder} holds")
        raise


def worked(wanted: Asked, halves: Split, fitting: Fitting) -> int:
    """Does what `command` says, once everything has been looked at."""
    LOGGER.info(report.plan(wanted, halves, fitting.clock.base, fitting.budget, fitting.times))
    trainings = everywhere_trained(wanted, halves, list(fitting.times))
    found: dict[str, list[Step]] = {}
    for run in trainings.runs():
        if run.state(trainings.epochs) is not State.DONE:
            LOGGER.warning(f"{run} failed: {run.why_failed()}")
            continue
        operator = run.cell.name
        one = Search(
            operator, layers.load(run.last), wanted.places, fitting.clock, fitting.budget,
            wanted.folder / SEARCH / f"{operator}.json", {"data": str(halves.search), **wanted.of_val},
        )  # fmt: skip
        found[operator] = one.run(lambda step, name=operator: search.tell(name, step))  # type: ignore[misc]
    if not found:
        raise AttentionError(f"no training with attention everywhere came to its end: see {trainings.folder}")
    best = max(found, key=lambda operator: (found[operator][-1].accuracy, -found[operator][-1].total))
    chosen = list(found[best][-1].worth)
    status = 0
    if chosen:
        status = confirmed(wanted, halves, best, chosen, found[best][0].milliseconds)
    LOGGER.info(report.write(wanted, halves, fitting.clock.base, fitting.budget, found, best))
    return status


def measured(wanted: Asked) -> Fitting:
    """Returns the operators that fit the budget somewhere, with their times.

    Raises:
        AttentionError: None does, or the device's times are not there yet.
    """
    everywhere = {
        operator: built(wanted.network, wanted.places.model(operator, wanted.places.places))
        for operator in wanted.operators
    }
    tells: Clock
    kept = wanted.folder / SEARCH / "base.json"
    if not (wanted.folder / asked.FILE).is_file():  # left by one that was refused, maybe of another size
        kept.unlink(missing_ok=True)
    if not wanted.options.latency:
        tells = clock.Here(wanted.base, wanted.places, wanted.size, kept)
    else:
        if not Path(wanted.options.latency).is_file():
            to_measure(wanted, everywhere)
        tells = clock.Device(Path(wanted.options.latency), wanted.places, wanted.operators)
    budget = wanted.budget.milliseconds(tells.base)
    times = {operator: tells.times(operator, network) for operator, network in everywhere.items()}
    fit = {operator: one for operator, one in times.items() if min(one.values()) <= budget}
    if not fit:
        fastest = min(times, key=lambda operator: min(times[operator].values()))
        word, least = min(times[fastest].items(), key=lambda one: one[1])
        raise AttentionError(
            f"budget={wanted.options.budget}, {budget:.3f} of the base's {tells.base:.2f} ms, fits no attention: the "
            f"fastest is {fastest} at {word} with {least:.3f} ms; write budget={least * 1.2:.2g}ms"
        )
    for operator in times.keys() - fit.keys():
        LOGGER.warning(f"{operator} fits the budget of {budget:.3f} ms nowhere: it is left out")
    return Fitting(tells, budget, fit)


def to_measure(wanted: Asked, everywhere: Mapping[str, nn.Module]) -> None:
    """Writes the files that a device is to measure, and says so.

    Raises:
        AttentionError: Always: there is nothing to go on with.
    """
    files = clock.write_files(wanted.base, everywhere, wanted.size, wanted.folder / "latency")
    raise AttentionError(
        f"there is no '{wanted.options.latency}' yet: measure {', '.join(file.name for file in files)} in "
        f"{files[0].parent} on the device, yolo-attn latency model={','.join(file.name for file in files)} -o "
        f"{Path(wanted.options.latency).name}"
    )


def everywhere_trained(wanted: Asked, halves: Split, operators: list[str]) -> Comparison:
    """Returns the trainings with attention everywhere, one for each operator, when they have ended."""
    cells = []
    for operator in operators:
        model = wanted.places.model(operator, wanted.places.places)
        file = wanted.folder / MODELS / f"everywhere-{operator}.yaml"
        answer.write(model, file, f"{wanted.stem} with {operator} everywhere")
        cells.append(Cell(operator, str(file), ATTENTION))
    arguments = {**wanted.arguments, "pretrained": pretrained(wanted)}
    if wanted.options.freeze_base:  # the first step has the base's output: there is nothing to warm up
        arguments = {"warmup_epochs": 0.0, **arguments, "freeze": asked.rows_of(wanted)}
    trainings = Comparison(
        wanted.folder / "everywhere", tuple(cells), 1, wanted.options.search_epochs, wanted.options.margin,
        str(halves.search), arguments,
    )  # fmt: skip
    trainings.folder.mkdir(parents=True, exist_ok=True)
    compare.run(trainings, confirming(wanted, halves, []))
    return trainings


def pretrained(wanted: Asked) -> str:
    """Returns the path of the base's checkpoint."""
    return str(Path(wanted.base.ckpt_path or wanted.options.base).resolve())


def confirming(wanted: Asked, halves: Split, models: list[Path]) -> CompareOptions:
    """Returns what `yolo-attn compare` is told, to confirm the answer."""
    options = wanted.options
    return CompareOptions(
        base=str(wanted.folder / MODELS / f"{wanted.stem}.yaml"),
        attention=",".join(map(str, models)),
        data=str(halves.confirm),
        seeds=options.seeds,
        epochs=options.epochs,
        margin=options.margin,
        controls=options.controls,
        ray=options.ray,
        gpus=options.gpus,
        project=str(wanted.folder),
        name=CONFIRM,
        arguments={**options.arguments, "pretrained": pretrained(wanted)},
    )


def confirmed(wanted: Asked, halves: Split, operator: str, chosen: list[str], times: Mapping[str, float]) -> int:
    """Compares the answer on the other half of the images; returns the status of `yolo-attn compare`.

    Args:
        wanted: What was asked for.
        halves: The images.
        operator: The operator.
        chosen: Its places.
        times: The milliseconds of each place with attention everywhere.
    """
    others = {
        answer.PLACED: chosen,
        answer.RANDOM: answer.at_random(times, chosen),
        answer.USUAL: answer.usual(wanted.places),
    }
    files: dict[str, Path] = {}
    for stem, words in others.items():
        if words and words not in [others[other] for other in files]:
            model = wanted.places.model(operator, words)
            source = f"{wanted.stem} with {operator} at {','.join(words)}"
            files[stem] = answer.write(model, wanted.folder / f"{stem}.yaml", source)
    answer.write_bases(wanted.places.base, wanted.stem, wanted.folder / MODELS, wanted.options.base)
    return compare.command(confirming(wanted, halves, list(files.values())))
