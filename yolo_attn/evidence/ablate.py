"""`yolo-attn ablate`: what each attention layer of a trained network is worth, without training."""

import shutil
from pathlib import Path

from ultralytics import YOLO
from ultralytics.utils import LOGGER, colorstr
from ultralytics.utils.files import increment_path

from yolo_attn.errors import AttentionError
from yolo_attn.evidence import chart, checkpoint, cost, layers, prune, validation, worth
from yolo_attn.evidence.options import AblateOptions
from yolo_attn.export.staging import beside

ALL, DROPPED = "all of them", "those of drop="


def command(options: AblateOptions) -> int:
    """Measures, writes the pruned checkpoint where one is asked for, and the result into a folder; 0 when it is done.

    Raises:
        AttentionError: There is no attention, no data, no such layer, or a file that would be written is there already.
    """
    model = layers.load(options.model)
    if options.o and not options.drop:
        raise AttentionError(f"-o {options.o} needs drop=..., the layers to leave out, such as drop=9,12")
    drop = prune.chosen(layers.network(model), options.drop)
    pruned = checkpoint.check_place(options.o, options.exist_ok) if options.o else None
    validation.check_data(model, options.data, options.split)
    if pruned:
        prune.write(model, drop, pruned, options.model, options.exist_ok)
        LOGGER.info(f"{pruned} and its YAML are {options.model} without {', '.join(drop)}")
    result = measured(model, drop, options)
    LOGGER.info("\n" + "\n".join([*worth.sentences(result), "", worth.table(result)]))
    LOGGER.info(f"\nResults saved to {colorstr('bold', saved(result, options))}")
    return 0


def measured(model: YOLO, drop: list[str], options: AblateOptions) -> worth.Result:
    """Returns what each layer is worth, all of them together, and those of `drop` together."""
    attention = layers.attention(layers.network(model))
    described = {path: layer.describe() for path, layer in attention.items()}
    shares = {
        path: [1.0 if one is None else float(one.detach()) for one in layer.shares()]
        for path, layer in attention.items()
    }
    variants = {path: [path] for path in attention}
    variants |= {ALL: list(attention)} if len(attention) > 1 else {}
    variants |= {DROPPED: drop} if drop else {}
    LOGGER.info(f"Timing {len(attention)} attention layers in an exported file...")
    times = cost.milliseconds(model, options.imgsz)
    found = validation.validate(model, variants, **validation.arguments(options))
    whole = found.measured[""]
    lines = [
        worth.Line(
            name=name,
            operator=described.get(name, ""),
            worth=lost,
            classes=each,
            milliseconds=sum(times[path] for path in variants[name]),
            shares=shares.get(name, []),
            spread=found.spreads.get(name),
        )
        for name, (lost, each) in worth.worths(found).items()
    ]
    return worth.Result(
        validation.measure(model), whole.accuracy, whole.classes, found.names, whole.outcome.images, times[""], lines
    )


def saved(result: worth.Result, options: AblateOptions) -> Path:
    """Writes the result into a folder of its own and returns the folder, which is there when all is written."""
    goal = Path(options.project, options.name or Path(options.model).stem)
    goal.parent.mkdir(parents=True, exist_ok=True)
    with beside(goal) as staged:
        folder = staged / goal.name
        folder.mkdir()
        (folder / "ablate.csv").write_text(worth.written(result), encoding="utf-8")
        (folder / "ablate.md").write_text(worth.text(result, f"What the attention of {options.model} is worth"))
        single = [line for line in result.lines if line.operator]
        chart.draw(result, single, folder / "ablate.png")
        goal = increment_path(goal, exist_ok=options.exist_ok)
        if goal.exists():
            for file in folder.iterdir():
                file.replace(goal / file.name)
        else:
            shutil.move(folder, goal)
    return goal
