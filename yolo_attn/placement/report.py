"""The report of a search, `place.md`: the answer first, then how it was confirmed, what was tried, and what it cost."""

from collections.abc import Mapping
from typing import Any

from yolo_attn.evidence import comparison, verdict
from yolo_attn.evidence.cells import ATTENTION, Cell
from yolo_attn.evidence.ledger import Run
from yolo_attn.evidence.report import listed, sentence
from yolo_attn.evidence.results import Results, mean
from yolo_attn.evidence.verdict import Verdict
from yolo_attn.evidence.worth import markdown
from yolo_attn.export.staging import beside
from yolo_attn.placement import answer, chart
from yolo_attn.placement.answer import PLACED, RANDOM, USUAL
from yolo_attn.placement.asked import Asked
from yolo_attn.placement.search import Step
from yolo_attn.placement.split import SEED, Split

FILES = ("place.png", "place.md")
WHAT = {PLACED: "what was found", RANDOM: "random places of the same time", USUAL: "the usual places, backbone"}
Found = Mapping[str, list[Step]]


def plan(wanted: Asked, halves: Split, base: float, budget: float, times: Mapping[str, Mapping[str, float]]) -> str:
    """Returns what will be done, in lines."""
    options = wanted.options
    frozen = "frozen" if options.freeze_base else "trained with it"
    return "\n".join(
        [
            f"{len(wanted.places.places)} places in {wanted.stem}, {listed(list(times))}: {options.search_epochs} "
            f"epochs each with attention everywhere, the base {frozen}, in {wanted.folder}",
            f"the budget is {budget:.3f} ms, the base takes {base:.2f} ms"
            + "".join(f", {operator} everywhere {sum(one.values()):.2f} ms" for operator, one in times.items()),
            f"of the validation images {halves.images[0]} are for the search and {halves.images[1]} to confirm",
            f"then the answer is compared over {options.seeds} seeds of {options.epochs} epochs",
        ]
    )


def write(wanted: Asked, halves: Split, base: float, budget: float, found: Found, best: str) -> str:
    """Writes the report and its chart into the search's folder; returns the answer in lines."""
    before = comparison.load(wanted.folder / "confirm")
    results = Results(before) if before and found[best][-1].worth else None
    lines = [*answered(wanted, budget, found, best), *(confirmation(results) if results else [])]
    text = [
        f"# Where attention goes in {wanted.stem}, on {wanted.options.data}", "", *lines, "",
        "## The images", "",
        f"The {sum(halves.images)} validation images were split before anything was trained, by a permutation of seed "
        f"{SEED}: {halves.images[0]} for the search (`split/search.txt`), {halves.images[1]} to confirm what was found "
        "(`split/confirm.txt`).", "",
        *what_was_tried(wanted, base, budget, found), *cost(wanted, found, results),
    ]  # fmt: skip
    with beside(wanted.folder / FILES[-1]) as folder:
        chart.draw(found, budget, folder / FILES[0])
        (folder / FILES[1]).write_text("\n".join([*text, ""]), encoding="utf-8")
        for name in FILES:
            (folder / name).replace(wanted.folder / name)
    return "\n".join([*(line for line in lines if line), f"report: {wanted.folder / FILES[1]}"])


def answered(wanted: Asked, budget: float, found: Found, best: str) -> list[str]:
    """Returns the answer, in sentences."""
    last = found[best][-1]
    if not last.worth:
        return [f"**Nothing of {listed(list(found))} fits the budget of {budget:.3f} ms and is worth anything.**"]
    words = list(last.worth)
    lines = [
        f"**{best} at {', '.join(words)}**: {last.total:.3f} ms of a budget of {budget:.3f} ms; {last.accuracy:.2f} "
        f"points on the search's images, {found[best][0].base:.2f} with all of it off."
    ]
    if unsure := [word for word in words if last.worth[word][1] <= 0]:
        lines += [f"The search's images do not tell {listed(unsure)} apart from nothing: it is what was left last."]
    if name := answer.name(wanted.stem, wanted.places, best, words):
        lines += ["", f"The model is `placed.yaml`, or `{name}` by its name."]
    else:
        lines += ["", "The model is `placed.yaml`; no name means it."]
    return lines


def confirmation(results: Results) -> list[str]:
    """Returns what the images that the search has not seen say."""
    names = [cell.name for cell in results.comparison.compared]
    verdicts = {**results.verdicts(results.main), **results.controls()}
    rows = []
    for cell in results.comparison.cells:
        scores = results.main.scores[cell.name]
        one = verdicts.get(cell.name)
        rows.append(
            [cell.name, WHAT.get(cell.name, cell.role), f"{mean(scores.values()):.2f}" if scores else "–",
             sentence(one, results.comparison.margin) if one else ""]
        )  # fmt: skip
    lines = ["", "## Confirmed on the other images", ""]
    lines += [f"{results.comparison.seeds} seeds of {results.comparison.epochs} epochs from the base's weights. "
              "All of it is in `confirm/report.md`.", ""]  # fmt: skip
    if RANDOM in names:
        lines += [against_random(results), ""]
    return [*lines, markdown(("model", "what it is", "mAP50-95", "beside the base"), rows)]


def against_random(results: Results) -> str:
    """Returns the verdict on the answer beside random places of the same time, in a sentence."""
    one = beside_random(results)
    said = sentence(one, results.comparison.margin)
    if one.word == "better":
        return f"**The places that were found are better than random ones of the same time**: {said}."
    if one.word == "failed":
        return f"Nothing can be said of random places of the same time: {said}."
    return f"**Random places of the same time do as well, as far as these runs can tell**: {said}."


def beside_random(results: Results) -> Verdict:
    """Returns the verdict on the answer where random places are what it is compared with."""
    scores = results.main.scores
    seeds = range(results.comparison.seeds)
    return verdict.judge(scores[RANDOM], {PLACED: scores[PLACED]}, seeds, results.comparison.margin)[PLACED]


def what_was_tried(wanted: Asked, base: float, budget: float, found: Found) -> list[str]:
    """Returns the steps of every operator."""
    times = f"measured on the device, `{wanted.options.latency}`, with attention everywhere"
    if not wanted.options.latency:
        times = "measured in ONNX Runtime on one thread of this CPU, anew at every step"
    lines = ["## What was tried", "", "![What the network finds over what its attention takes](place.png)", ""]
    lines += [
        f"The base takes {base:.2f} ms, the budget is {budget:.3f} ms; times are {times}. A place's worth is what the "
        "network loses without it, in points of mAP50-95, with the 95 % interval over the images."
    ]
    for operator, steps in found.items():
        lines += ["", f"### {operator}", "", markdown(
            ("places", "mAP50-95", "ms of all", "goes", "its worth", "its ms", "why"), map(row, steps)
        )]  # fmt: skip
    return [*lines, ""]


def row(step: Step) -> list[str]:
    """Returns a step as the cells of a row."""
    cells: list[Any] = [str(len(step.worth)), f"{step.accuracy:.2f}", f"{step.total:.3f}"]
    if not step.removed:
        left = ", ".join(
            f"{word} {lost:+.2f} [{low:+.2f}, {high:+.2f}]" for word, (lost, low, high) in step.worth.items()
        )
        return [*cells, "nothing", left, "", "what is left"]
    lost, low, high = step.worth[step.removed]
    ms = step.milliseconds[step.removed]
    return [*cells, step.removed, f"{lost:+.2f} [{low:+.2f}, {high:+.2f}]", f"{ms:.3f}", step.why]


def cost(wanted: Asked, found: Found, results: Results | None) -> list[str]:
    """Returns what the search took, counted in trainings of the base, beside a training of each place by itself."""
    options = wanted.options
    single = len(wanted.places.places) * len(found)
    epochs = options.search_epochs * len(found)
    lines = ["## What the search took", ""]
    said = (f"{epochs} epochs with attention everywhere, where one training of the base has {options.epochs}, and "
            f"{sum(len(steps) for steps in found.values())} rounds of validating and timing.")  # fmt: skip
    seconds = sum(step.seconds for steps in found.values() for step in steps) + trained_seconds(wanted, found)
    base = mean(results.said[run]["seconds"] for run in results.of(results.comparison.base)) if results else 0
    if base and base > 0:
        said += (f" It took {seconds:.0f} s, a training of the base {base:.0f} s: **{seconds / base:.1f} trainings of "
                 "the base**.")  # fmt: skip
    return [*lines, f"{said} To train every place by itself is {single} trainings with one seed, and "
            f"{single * options.seeds} with {options.seeds}."]  # fmt: skip


def trained_seconds(wanted: Asked, found: Found) -> float:
    """Returns the seconds of the trainings with attention everywhere."""
    runs = [Run(wanted.folder / "everywhere", Cell(operator, "", ATTENTION), 0) for operator in found]
    return sum(run.said()["seconds"] for run in runs)
