"""Counts the kernels in which TensorRT-RTX runs each operator, deployed, and the form that people paste today.

    python -m benchmarks.deploy.kernels          # no GPU is needed; one to two minutes

Two places: `alone` is the operator as a network of its own; `network` has it between two convolutions with SiLU, as a
YOLO has it, and counts what it adds to the same network without it. Kernels are read off the plan
(yolo_attn/export/plan.py): that says how often the GPU is started and how often a map crosses its memory, not how long
it takes. `–` is a form that torch cannot export or TensorRT refuses.

Writes benchmarks/deploy/kernels.csv.
"""

import tempfile
import warnings
from pathlib import Path

import onnx
import torch
from torch import nn

from benchmarks import arguments
from benchmarks.machine import machine, write_rows
from tests.support.operators import make
from tests.support.pasted import paste
from yolo_attn import registry
from yolo_attn.errors import AttentionError
from yolo_attn.export import plan, rtx
from yolo_attn.export.single import exported, rewritten

FILE = Path(__file__).with_suffix(".csv")
CHANNELS, SIZE = 256, 40
SHAPE = (1, CHANNELS, SIZE, SIZE)
PROFILE = rtx.Profile((1, CHANNELS, 20, 20), SHAPE, (4, CHANNELS, 80, 80))
TARGET = "sm89"
NONE = "–"


def between(attention: nn.Module) -> nn.Module:
    """Returns a network with the operator where a YOLO has it."""
    convolutions = [nn.Conv2d(CHANNELS, CHANNELS, kernel, padding=kernel // 2) for kernel in (1, 3)]
    return nn.Sequential(convolutions[0], nn.SiLU(), attention, convolutions[1], nn.SiLU()).eval()


def count(module: nn.Module, dynamic: bool, ours: bool = True) -> int | str:
    """Returns how many kernels the module has, its graph rewritten where it is ours."""
    try:
        model = exported(module, SHAPE, dynamic)
    except torch.onnx.errors.OnnxExporterError:
        return NONE
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder) / "x.onnx"
        onnx.save(rewritten(model, reader="tensorrt")[0] if ours else model, written)
        try:
            return len(plan.kernels(rtx.build(written, (TARGET,), PROFILE if dynamic else None)))
        except AttentionError:
            return NONE


def measure(name: str, forms: tuple[str, ...] = ("pasted", "ours")) -> list[dict]:
    """Returns the rows of one operator: both places, static and dynamic."""
    operator = make(name, {}, CHANNELS)
    made = {form: paste(operator) if form == "pasted" else operator.deploy() for form in forms}
    rows = []
    for place in ("alone", "network"):
        for dynamic in (False, True):
            row: dict = {"operator": name, "place": place, "shapes": "dynamic" if dynamic else "static"}
            without = count(between(nn.Identity()), dynamic) if place == "network" else 0
            for form, module in made.items():
                counted = count(between(module) if place == "network" else module, dynamic, form == "ours")
                row[form] = counted if NONE in (counted, without) else int(counted) - int(without)
            rows.append(row)
    return rows


def main() -> None:
    arguments.parser(__doc__).parse_args()
    warnings.simplefilter("ignore")  # of tracing
    where = {"map": "×".join(map(str, SHAPE[1:])), "target": TARGET} | machine("torch", "onnxslim", "tensorrt_rtx")
    rows = []
    for name in registry.names():
        for row in measure(name):
            rows.append(row)
            print("{operator:<18}{place:<9}{shapes:<9}{pasted:>4} -> {ours}".format(**row), flush=True)
    print(f"written to {write_rows(FILE, rows, where)}")


if __name__ == "__main__":
    main()
