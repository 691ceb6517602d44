"""The documents' tables of measured numbers, each from the results that its benchmark committed.

Numbers stand here as they stand there, and means of them to two digits.
"""

import csv
from collections.abc import Iterable
from pathlib import Path
from statistics import geometric_mean

from yolo_attn.contract import suite
from yolo_attn.contract.suite import title

BENCHMARKS, TESTS = (Path(__file__).parent.parent / name for name in ("benchmarks", "tests"))
PASSES = {"inference": "inference", "deployed": "after `fuse()`", "training": "training step"}
SLOW = ("EncNet", "GSoP", "SRM")  # whose pasted forms take several times as long


def results(name: str) -> list[dict[str, str]]:
    """Returns the rows of a committed result, `benchmarks/name.csv`."""
    return rows_of(BENCHMARKS / f"{name}.csv")


def rows_of(file: Path) -> list[dict[str, str]]:
    """Returns the rows of a CSV file."""
    with file.open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def markdown(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Returns a Markdown table."""
    head, *lines = [f"| {' | '.join(line)} |" for line in (heads, *rows)]
    return "\n".join([head, "|---" * (head.count(" | ") + 1) + "|", *lines])


def identity_start() -> str:
    """mAP50-95 as attention was put into a trained network, by its start (benchmarks.learning.identity_start)."""
    base, *rows = results("learning/identity_start")
    found: dict[str, dict[str, str]] = {"nothing": dict.fromkeys(("identity", "paper"), base["mAP50-95"])}
    for row in rows:
        found.setdefault(row["operator"], {})[row["start"]] = row["mAP50-95"]
    heads = ("put in", "start: identity", "start: paper")
    return markdown(heads, ([name, start["identity"], start["paper"]] for name, start in found.items()))


def operator_times() -> str:
    """Time of the pasted form over ours, the geometric mean of an operator's maps (benchmarks.cpu.operators)."""
    rows = results("cpu/operators")

    def line(title: str, operators: Iterable[str]) -> list[str]:
        chosen = [row for row in rows if row["operator"] in operators]
        means = [geometric_mean(float(row["ratio"]) for row in chosen if row["pass"] == one) for one in PASSES]
        return [title, *(f"{mean:.2f}" for mean in means)]

    names = list(dict.fromkeys(row["operator"] for row in rows))
    lines = [line(name, {name}) for name in names]
    lines += [line("all", names), line(f"all but {', '.join(SLOW)}", set(names) - set(SLOW))]
    return markdown(("operator", *PASSES.values()), lines)


def checks() -> str:
    """What `yolo-attn check` looks at, in its order."""
    rows = [
        [name, title(check), "fails" if name in suite.CHECKS else "is said"]
        for name, check in {**suite.CHECKS, **suite.ADVICE}.items()
    ]
    return markdown(("check", "what is looked at", "where it is not so"), rows)


def int8() -> str:
    """mAP50-95 and time of INT8 files beside FP32 (benchmarks.deploy.int8)."""
    columns = {"": "attention", "FP32": "fp32_map", "INT8": "int8_map", "lost": "lost", "times as fast": "faster"}
    rows = [{**row, "attention": _operator(row["attention"])} for row in results("deploy/int8")]
    return markdown(columns, ([row[column] for column in columns.values()] for row in rows))


def kernels() -> str:
    """Kernels that each operator adds to a network in TensorRT-RTX (benchmarks.deploy.kernels)."""
    found: dict[str, list[str]] = {}
    for row in results("deploy/kernels"):
        if row["place"] == "network":
            found.setdefault(row["operator"], []).extend((row["pasted"], row["ours"]))
    heads = ("operator", "pasted", "ours", "pasted, dynamic", "ours, dynamic")
    return markdown(heads, ([name, *counts] for name, counts in found.items()))


def gam_forms() -> str:
    """What GAM's forms cost in yolov5s, with one behind each stage of the backbone (benchmarks.cpu.gam)."""
    titles = {"ONNX Runtime": "ONNX Runtime", "ONNX Runtime, INT8": "the same, INT8", "OpenVINO": "OpenVINO"}
    found: dict[str, list[str]] = {}
    for row in results("cpu/gam"):
        if row["form"] != "base":
            found.setdefault(row["form"], [row["parameters_m"], row["gflops"], row["kernels"], row["own_ms"]])
            found[row["form"]].append(row["over_base"])
    heads = ("form", "parameters, M", "GFLOPs", "kernels of one", "own ms", *titles.values())
    return markdown(heads, ([f"`{form}`", *cells] for form, cells in found.items()))


def gam_worth() -> str:
    """What GAM's forms are worth on the built-in set (benchmarks.learning.gam)."""
    lines = []
    for row in results("learning/gam"):
        cells = [f"`{row['form']}`", f"{row['mAP50-95']} ± {row['spread']}"]
        for name in ("base", "dense"):
            known = row[f"{name}_verdict"]
            numbers = [f"{float(row[f'{name}_{key}']):+.2f}" for key in ("difference", "low", "high")] if known else []
            cells += [f"{numbers[0]} [{numbers[1]}, {numbers[2]}]", known] if known else ["", ""]
        lines.append(cells)
    return markdown(("form", "mAP50-95", "to no GAM", "verdict", "to the dense form", "verdict"), lines)


def slim() -> str:
    """What a trained GAM loses at each rank (benchmarks.evidence.slim)."""
    found: dict[str, list[str]] = {}
    dense, *rows = results("evidence/slim")
    for row in rows:
        cells = found.setdefault(row["rank"], [row["parameters_m"]])
        cells += [row["error"]] if row["fitted_to"] == "data" else []
        cells.append(f"{float(row['lost']):+.2f} [{float(row['low']):+.2f}, {float(row['high']):+.2f}]")
    heads = ("rank", "parameters, M", "largest error", "lost, fitted to the data", "lost, fitted to nothing")
    whole = ["dense", dense["parameters_m"], "0", "", ""]
    return markdown(heads, [whole, *([rank, *cells] for rank, cells in found.items())])


def releases() -> str:
    """What passed in each release of Ultralytics (tests.compat)."""
    rows = rows_of(TESTS / "compat" / "releases.csv")
    heads = ("ultralytics", "python", "torch", "onnx", "numpy", "OpenCV", "tests", "whole rounds")
    return markdown(heads, ([row[head] for head in heads] for row in rows))


def theirs() -> str:
    """What became of Ultralytics' own tests, with yolo_attn and without (tests.compat.theirs)."""
    rows = rows_of(TESTS / "compat" / "theirs.csv")
    heads = ("ultralytics", "its tests", "passed", "failed", "error", "skipped", "otherwise")
    return markdown(heads, ([row[head] for head in heads] for row in rows))


def modes() -> str:
    """What Ultralytics did with a model that has attention (tests.modes)."""
    heads = ("mode", "outcome")
    return markdown(heads, ([row[head] for head in heads] for row in rows_of(TESTS / "modes" / "results.csv")))


def formats() -> str:
    """How far each exported format is from PyTorch in float64 (tests.modes.formats)."""
    heads = ("format", "precision", "operators", "largest error", "its part of the allowed")
    rows = rows_of(TESTS / "modes" / "formats.csv")
    without = [", ".join(line.partition(":")[0] for line in row["otherwise"].split("; ")) for row in rows]
    lines = ([*(row[head] for head in heads), names] for row, names in zip(rows, without, strict=True))
    return markdown((*heads, "without"), lines)


def fuzz() -> str:
    """What atheris tried (tests.fuzz)."""
    heads = ("test", "seconds", "inputs", "branches", "found")
    return markdown(heads, ([row[head] for head in heads] for row in rows_of(TESTS / "fuzz" / "results.csv")))


def live() -> str:
    """`yolo-attn live` beside stock `yolo predict` and a bare loop (benchmarks.live)."""
    rows = [row for row in results("live/live") if row["what"] == "throughput"]
    columns = {
        "threads, image size": ("threads", "imgsz"),
        "frames per second over stock": ("live over stock, frames/s",),
        "time of a frame over a bare loop of `session.run`": ("live over bare, time",),
        "processor time of a frame: bare, live, stock (ms)": tuple(
            f"{program} processor ms" for program in ("bare", "live", "stock")
        ),
    }
    return markdown(columns, ([", ".join(row[one] for one in said) for said in columns.values()] for row in rows))


def live_start() -> str:
    """What the device saves (benchmarks.live.start)."""
    titles = {"full": "everything", "edge": "`requirements-edge.txt`"}
    columns = {"": "environment", "packages": "packages", "installed, MB": "MB", "one picture, s": "one picture, s"}
    rows = ({**row, "environment": titles[row["environment"]]} for row in results("live/start"))
    return markdown(columns, ([row[column] for column in columns.values()] for row in rows))


def live_ends() -> str:
    """What runs that were ended have lost, the longest of each (benchmarks.live.soak)."""
    columns = {"ended by": "fault", "runs": "times", "exit status": "exit status",
               "recorded, s": "seconds recorded", "of it not playable, s": "seconds of video lost",
               "lines torn": "lines torn", "messages": "messages", "messages lost": "messages lost"}  # fmt: skip
    rows = (row for row in results("live/soak") if row["messages"])
    return markdown(columns, ([row[column] for column in columns.values()] for row in rows))


def coverage() -> str:
    """How often intervals over images hold what was planted (benchmarks.evidence.coverage)."""
    columns = {"images": "images", "planted": "planted", "measured": "measured, mean", "half_width": "± interval",
               "covered": "covered, %"}  # fmt: skip
    rows = results("evidence/coverage")
    return markdown(columns.values(), ([row[column] for column in columns] for row in rows))


def place() -> str:
    """What the search for places found where it is known (benchmarks.evidence.place)."""
    columns = {"seed": "seed", "planted": "planted at", "left": "what is left", "worth": "its worth, points",
               "dropped": "useless places dropped", "useless": "of", "seconds": "seconds"}  # fmt: skip
    rows = results("evidence/place")
    return markdown(columns.values(), ([row[column] for column in columns] for row in rows))


def ablate_speed() -> str:
    """One pass for all variants of a checkpoint (benchmarks.evidence.speed)."""
    columns = {"imgsz": "imgsz", "layers": "layers", "validations": "validations", "one_validation": "one, s",
               "one_pass": "all in one pass, s", "times_as_fast": "times as fast as one by one"}  # fmt: skip
    rows = results("evidence/speed")
    return markdown(columns.values(), ([row[column] for column in columns] for row in rows))


def smallest_difference() -> str:
    """What so many seeds find, in units of the standard deviation of a difference between two runs."""
    from yolo_attn.evidence.verdict import smallest_difference

    seeds, models = (3, 5, 10, 20), (1, 3, 9)
    rows = ([str(n), *(f"{smallest_difference(1.0, n, compared):.1f}" for compared in models)] for n in seeds)
    return markdown(["seeds", *(f"{n} model{'s' * (n > 1)} with attention" for n in models)], rows)


def _operator(name: str) -> str:
    """Returns an operator's name as rows write it, of one in small letters."""
    from yolo_attn import registry

    return "no attention" if name == "base" else registry.get(name).name
