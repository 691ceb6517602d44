"""Comparisons whose runs are made up: their folders hold what Ultralytics and `yolo-attn compare` write."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from yolo_attn.evidence.cells import AGAIN, ATTENTION, BASE, SCALE, Cell
from yolo_attn.evidence.comparison import Comparison
from yolo_attn.evidence.ledger import Run

ROLES = {"yolo11n": BASE, "yolo11n-again": AGAIN, "yolo11s": SCALE}


def made_up(folder: Path, means: Mapping[str, float], spread: float = 0.5, seeds: int = 5, **other) -> Comparison:
    """Writes a comparison whose models have these means of mAP50-95 in points, with a spread over the seeds."""
    cells = tuple(Cell(name, f"{name}.yaml", ROLES.get(name, ATTENTION)) for name in means)
    said = {"seeds": seeds, "epochs": 10, "margin": 0.5, "data": "my.yaml", "arguments": {"imgsz": 64}, **other}
    comparison = Comparison(folder, cells, **said)
    comparison.save()
    rng = np.random.default_rng(0)
    of_seed = rng.normal(0, spread, 2000)  # what a seed does to every model
    for run in comparison.runs():
        final = means[run.cell.name] + of_seed[run.seed] + rng.normal(0, spread / 2)
        finish(run, final * (1 - np.exp(-np.arange(1, 11) / 3)), rng)
    return comparison


def finish(run: Run, curve, rng) -> None:
    """Writes the folder of a finished run that has this curve."""
    run.folder.mkdir(parents=True)
    lines = [f"{i},{i * 9.5},{1 / i:.6g},{score / 100:.6g}" for i, score in enumerate(curve, 1)]
    text = "\n".join(["epoch,time,train/box_loss,metrics/mAP50-95(B)", *lines, ""])
    (run.folder / "results.csv").write_text(text)
    said = {
        "seconds": 95.0,
        "versions": {"ultralytics": "8.4.190", "torch": "2.14.1"},
        "parameters": 2_500_000,
        "shares": {"model.5": [float(rng.uniform(0, 1))]} if run.cell.role == ATTENTION else {},
        "gates": {"model.5": {"mean": 0.5, "deviation": 0.1, "near_0": 0.02, "near_1": 0.25, "dead": ["spatial 0.73"]}},
        "sizes": {name: float(curve[-1] + rng.normal(0, 2)) for name in ("small", "medium", "large")},
        "errors": {name: float(rng.uniform(0, 9)) for name in ("Cls", "Loc", "Both", "Dupe", "Bkg", "Miss")},
    }
    (run.folder / "done.json").write_text(json.dumps(said))
