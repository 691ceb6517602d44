"""What GAM's forms are worth on the built-in set: dense, of a rank, depthwise and in groups, five seeds each.

    python -m benchmarks.learning.gam            # 25 trainings, about 45 minutes of one core

It is `yolo-attn compare` with the settings of `benchmarks.learning`, so the same command goes on where it was stopped.
Each form is compared with the base and with the dense form, each time by a paired t test with Holm's correction. Writes
benchmarks/learning/gam.csv.
"""

import os
from pathlib import Path

from benchmarks import arguments
from benchmarks.machine import machine, write_rows

FILE = Path(__file__).with_name("gam.csv")
FORMS = ("gam", "gam.rank", "gam.depthwise", "gam.g4")
SETTINGS = {"imgsz": "160", "fraction": "0.5", "workers": "0", "device": "cpu"}
EPOCHS, SEEDS = 10, 5


def main() -> None:
    parser = arguments.parser(__doc__)
    parser.add_argument("--project", default="runs/compare", help="the folder of comparisons")
    parser.add_argument("--base", default="yolov5n")
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")

    from yolo_attn.evidence import compare, comparison, verdict
    from yolo_attn.evidence.options import CompareOptions
    from yolo_attn.evidence.results import Results, mean, spread

    asked = CompareOptions(
        f"{options.base}.yaml", ",".join(FORMS), "shapes.yaml", seeds=SEEDS, epochs=EPOCHS, controls=False,
        project=options.project, name="gam-forms", arguments=SETTINGS,
    )  # fmt: skip
    if compare.command(asked):
        raise SystemExit("some runs failed or are missing: no result is written")
    made = comparison.load(Path(options.project, "gam-forms").resolve())
    assert made is not None
    results = Results(made)
    scores = {name.removeprefix(f"{options.base}-"): of for name, of in results.main.scores.items()}
    dense = verdict.judge(
        scores["gam"], {form: scores[form] for form in FORMS if form != "gam"}, range(SEEDS), made.margin
    )
    base = {name.removeprefix(f"{options.base}-"): one for name, one in results.verdicts(results.main).items()}
    rows = []
    for form, of in scores.items():
        row: dict = {"form": form, "mAP50-95": round(mean(of.values()), 2), "spread": round(spread(of.values()), 2)}
        for name, verdicts in (("base", base), ("dense", dense)):
            if one := verdicts.get(form):
                numbers = {"difference": one.difference, "low": one.low, "high": one.high, "p": one.p}
                row |= {f"{name}_{key}": round(value, 3) for key, value in numbers.items()}
                row |= {f"{name}_verdict": one.word, f"{name}_more": one.more}
        rows.append(row | {"scores": " ".join(f"{score:.2f}" for _, score in sorted(of.items()))})
    where = {"epochs": EPOCHS, "imgsz": SETTINGS["imgsz"], "fraction": SETTINGS["fraction"], "margin": made.margin}
    print(f"written to {write_rows(FILE, rows, where | machine('ultralytics', 'torch'))}")


if __name__ == "__main__":
    main()
