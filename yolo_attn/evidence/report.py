"""The report of a comparison, `report.html` and `report.md`: verdict first, and all that it takes to repeat it."""

import json
import math
import platform
import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ultralytics.utils import LOGGER

from yolo_attn.errors import AttentionError, brief
from yolo_attn.evidence import charts, latency, plan
from yolo_attn.evidence.cells import AGAIN, ATTENTION, BASE
from yolo_attn.evidence.comparison import Comparison
from yolo_attn.evidence.ledger import State
from yolo_attn.evidence.results import Measure, Results, mean, spread
from yolo_attn.evidence.verdict import Verdict
from yolo_attn.export.staging import beside

PAGES = ("report.html", "report.md")
CHARTS = {
    "differences": "Difference to the base, of the same seeds",
    "latency": "Accuracy over time; the line joins what nothing beats in both",
    "curves": "Accuracy after each epoch, mean and one standard deviation of the seeds",
    "errors": "What mending each kind of error would bring (TIDE)",
}


def write(comparison: Comparison) -> str:
    """Writes the report and its charts into the comparison's folder; returns the verdicts in lines."""
    import jinja2

    results = Results(comparison)
    times = measured_times(results)
    said = content(results, times)
    figures = charts.all_of(results, results.verdicts(results.main), times)
    templates = jinja2.Environment(
        loader=jinja2.PackageLoader("yolo_attn.evidence", "."), autoescape=jinja2.select_autoescape(["html"]),
        trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined,
    )  # fmt: skip
    with beside(comparison.folder / PAGES[0]) as folder:
        drawn = {name: charts.svg(figure) for name, figure in figures.items()}
        for name, figure in figures.items():
            charts.png(figure, folder / f"{name}.png")
        for page in PAGES:
            text = templates.get_template(f"{page}.j2").render(**said, charts=drawn, captions=CHARTS)
            (folder / page).write_text(text, encoding="utf-8")
        for file in sorted(folder.iterdir()):
            file.replace(comparison.folder / file.name)
    lines = [f"  {row['name']}: {row['said']}" for row in said["rows"] if row["role"] == ATTENTION]
    return "\n".join([said["headline"], *lines, f"report: {comparison.folder / PAGES[0]}"])


def content(results: Results, times: dict[str, float]) -> dict[str, Any]:
    """Returns all that the pages say, by the names that the templates use."""
    comparison = results.comparison
    verdicts, controls = results.verdicts(results.main), results.controls()
    rows = []
    for cell in comparison.cells:
        scores = results.main.scores[cell.name]
        one = verdicts.get(cell.name) or controls.get(cell.name)
        said = [results.said[run] for run in results.of(cell)]
        rows.append(
            {
                "name": cell.name,
                "role": cell.role,
                "what": plan.ROLES[cell.role],
                "parameters": f"{said[0]['parameters'] / 1e6:.2f}" if said else "–",
                "ms": number(times.get(cell.name, math.nan), 1),
                "runs": f"{len(scores)} of {comparison.seeds}",
                "mean": number(mean(scores.values())),
                "spread": number(spread(scores.values())),
                "best": number(results.best(cell)),
                "difference": difference(one),
                "p": number(one.p, 3) if one else "–",
                "verdict": str(one) if one else "",
                "word": one.word if one else "",
                "said": sentence(one, comparison.margin) if one else "",
            }
        )
    further = [further_row(results, measure) for measure in results.measures()]
    return {
        "title": f"{comparison.base.name} with attention on {comparison.data}",
        "headline": headline(results, verdicts),
        "warnings": warnings(results),
        "rows": rows,
        "compared": [row["name"] for row in rows if row["role"] == ATTENTION],
        "further": further,
        "layers": layer_rows(results),
        "epoch": results.epoch,
        "seeds": comparison.seeds,
        "margin": f"{comparison.margin:g}",
        "noise": number(results.noise()),
        "smallest": number(results.smallest()),
        "missing": comparison.missing,
        "extended": comparison.extended,
        "command": command(comparison),
        "arguments": comparison.training,
        "versions": {name: ", ".join(values) for name, values in results.versions().items()},
        "digest": results.digest(),
        "reported": platform.platform(),
    }


def headline(results: Results, verdicts: dict[str, Verdict]) -> str:
    """Returns the answer in a sentence."""
    by_word: dict[str, list[str]] = {word: [] for word in ("better", "equivalent", "worse", "undecided", "failed")}
    for name, one in verdicts.items():
        by_word[one.word].append(name)
    data = results.comparison.data
    helps = f"{listed(by_word['better'])} helps" if by_word["better"] else "no attention is shown to help"
    ends = {"equivalent": "equivalent to the base", "worse": "worse than the base"}
    rest = [f"{listed(names)}: {ends.get(word, word)}" for word, names in by_word.items() if names and word != "better"]
    return "; ".join([f"{helps} on {data}", *rest])


def sentence(one: Verdict, margin: float) -> str:
    """Returns a verdict with its figures."""
    if math.isnan(one.difference):
        return str(one)
    figures = f"{one.difference:+.2f} points [{one.low:+.2f}, {one.high:+.2f}], p {one.p:.3f}"
    return f"{one}{f' (±{margin:g})' if one.word == 'equivalent' else ''}, {figures}"


def warnings(results: Results) -> list[str]:
    """Returns what a reader must know before the verdicts."""
    comparison, found = results.comparison, []
    counts = {state: sum(one is state for one in results.states.values()) for state in State}
    if counts[State.FAILED]:
        failed = [f"{run} ({run.why_failed()})" for run in results.runs if results.states[run] is State.FAILED]
        found.append(f"{counts[State.FAILED]} runs failed: {'; '.join(failed)}")
    if left := len(results.runs) - counts[State.DONE] - counts[State.FAILED]:
        found.append(f"{left} of {len(results.runs)} runs are not done: the same command goes on")
    if results.epoch and results.epoch < comparison.epochs:
        found.append(f"a run ended early, so that all are compared after epoch {results.epoch}")
    found += [f"there is no control {reason}" for reason in comparison.missing]
    found += [f"after the comparison had begun, there came to it: {line}" for line in comparison.extended]
    if without := results.without_detail():
        found.append(f"no AP by size of {listed(list(without))}: {'; '.join(dict.fromkeys(without.values()))}")
    changed = [name for name, values in results.versions().items() if len(values) > 1]
    if changed:
        found.append(f"the runs were not all made with the same {', '.join(changed)}")
    return found


def further_row(results: Results, measure: Measure) -> dict[str, Any]:
    """Returns a row of the table of further measures: the base's mean, and each model's difference."""
    verdicts = results.verdicts(measure)
    cells = {}
    for name, one in verdicts.items():
        word = one.word if one.word in ("better", "worse", "equivalent") else ""
        cells[name] = {"word": word, "text": f"{one.difference * measure.sign:+.2f}"}
        if math.isnan(one.difference):
            cells[name]["text"] = "–"
    base = mean(measure.scores[results.comparison.base.name].values())
    return {"name": measure.name, "base": number(base), "cells": cells}


def layer_rows(results: Results) -> list[dict[str, str]]:
    """Returns a row for each attention layer: the shares and the values of its gates over the runs."""
    rows = []
    for cell in results.comparison.compared:
        shares, gates = results.layers(cell, "shares"), results.layers(cell, "gates")
        for layer in {**shares, **gates}:
            per_gate = list(zip(*shares.get(layer, []), strict=True))
            spreads = gates.get(layer, [])
            dead = sorted({said.split(",")[0] for one in spreads for said in one["dead"]})
            rows.append(
                {
                    "name": cell.name,
                    "layer": layer,
                    "shares": ", ".join(map(ranged, per_gate)) or "1",
                    "gate": " ± ".join(number(mean(one[key] for one in spreads)) for key in ("mean", "deviation")),
                    "near": " / ".join(percent(one[key] for one in spreads) for key in ("near_0", "near_1")),
                    "dead": "; ".join(dead),
                }
            )
    return rows


def measured_times(results: Results) -> dict[str, float]:
    """Returns the milliseconds of each model's exported file, all measured in one go and kept beside the report."""
    comparison = results.comparison
    file = comparison.folder / "latency.json"
    cells = [cell for cell in comparison.cells if cell.role != AGAIN and results.of(cell)]
    wanted = {cell.name: str(results.of(cell)[0].last) for cell in cells}
    if file.is_file() and set(known := json.loads(file.read_text(encoding="utf-8"))) == set(wanted):
        return known
    try:
        times = latency.of_models(wanted, plan.size(comparison.arguments)) if wanted else {}
    except (AttentionError, OSError) as error:  # the verdict does not hang on it
        LOGGER.warning(f"no times: {brief(error)}")
        return {}
    file.write_text(json.dumps(times), encoding="utf-8")
    return times


def command(comparison: Comparison) -> str:
    """Returns what to type to make this comparison again."""
    base = comparison.arguments.get("pretrained", "")
    named = base if Path(str(base)).stem == comparison.base.name else comparison.base.model
    words = {
        "base": named,
        "attention": ",".join(word_of(comparison, cell) for cell in comparison.compared),
        "data": comparison.data,
        "seeds": comparison.seeds,
        "epochs": comparison.epochs,
        "margin": f"{comparison.margin:g}",
        **({} if any(cell.role not in (BASE, ATTENTION) for cell in comparison.cells) else {"controls": False}),
        "name": comparison.folder.name,
        **comparison.arguments,
    }
    return " ".join(["yolo-attn compare", *(f"{name}={shlex.quote(str(value))}" for name, value in words.items())])


def word_of(comparison: Comparison, cell: Any) -> str:
    """Returns what `attention=` calls a model."""
    prefix = f"{Path(comparison.base.model).stem}-"
    return cell.name.removeprefix(prefix) if cell.name.startswith(prefix) else cell.model


def listed(names: list[str]) -> str:
    """Returns `a, b and c`."""
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def ranged(values: tuple[float, ...]) -> str:
    """Returns the mean of several runs, and from where to where they go."""
    return f"{mean(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def percent(shares: Iterable[float]) -> str:
    """Returns the mean of several shares in per cent, or a dash where there is none."""
    return f"{100 * mean(known):.0f} %" if (known := list(shares)) else "–"


def difference(one: Verdict | None) -> str:
    """Returns a difference with its interval."""
    if one is None or math.isnan(one.difference):
        return "–"
    return f"{one.difference:+.2f} [{one.low:+.2f}, {one.high:+.2f}]"


def number(value: float, digits: int = 2) -> str:
    """Returns a number, or a dash where there is none."""
    return "–" if math.isnan(value) else f"{value:.{digits}f}"
