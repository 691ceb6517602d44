"""Measures GAM's cheaper forms beside its dense one: what they are, and what they cost an exported network.

    python -m benchmarks.cpu.gam          # yolov5s at 640 pixels on one thread; some ten minutes

GAM stands behind the three stages of the backbone, as in yolov5s-gam.yaml. In each round every file runs once, the
network without GAM first; `over_base` is the median of a round's ratios and `own_ms` the median of its differences, in
processor time, so that what else runs on the machine costs less. Files in INT8 are calibrated on noise: it is their
time that is looked at. `kernels` is what one GAM adds to a network in TensorRT-RTX (benchmarks.deploy.kernels).

Writes benchmarks/cpu/gam.csv.
"""

import logging
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from onnxruntime.quantization import CalibrationDataReader
from torch import nn
from ultralytics import YOLO
from ultralytics.utils import LOGGER, TQDM

from benchmarks import arguments
from benchmarks.cpu.paper_tables import count
from benchmarks.deploy import kernels
from benchmarks.deploy.timing import openvino, ort
from benchmarks.deploy.variants import SHAPE
from benchmarks.machine import machine, write_rows
from tests.support.operators import make
from yolo_attn.export import int8
from yolo_attn.nn import GAM
from yolo_attn.surgery import words

FILE = Path(__file__).with_suffix(".csv")
BASE = "base"
FORMS = ("gam", "gam.r16", "gam.g4", "gam.rank", "gam.rank16", "gam.depthwise")
STAGES = ((128, 80), (256, 40), (512, 20))  # channels and map of yolov5s' stages P3, P4, P5
BAR = 1.12  # times the network without GAM, for one form at least


class Noise(CalibrationDataReader):
    """Four pictures of noise."""

    def __init__(self):
        self.left = iter(np.random.default_rng(0).random((4, *SHAPE), np.float32))

    def get_next(self):
        image = next(self.left, None)
        return None if image is None else {"images": image}


def cost(form: str) -> dict:
    """Returns the parameters of a form's three modules, in millions, their GFLOPs, and the kernels of one of them."""
    options = words.read(form)[1]
    counted = [count(GAM(channels, **options), 1, channels, size, size) for channels, size in STAGES]  # type: ignore[arg-type]
    network = kernels.between(make("GAM", options, kernels.CHANNELS).deploy())
    added = int(kernels.count(network, False)) - int(kernels.count(kernels.between(nn.Identity()), False))
    return {
        "parameters_m": round(sum(one.parameters for one in counted) / 1e6, 3),
        "gflops": round(sum(2 * one.products for one in counted) / 1e9, 2),
        "kernels": added,
    }


def export(form: str, folder: Path) -> Path:
    """Returns the network's ONNX file."""
    torch.manual_seed(0)
    model: Any = YOLO("yolov5s.yaml" if form == BASE else f"yolov5s-{form}.yaml", task="detect")
    return Path(model.export(format="onnx", imgsz=SHAPE[2])).replace(folder / f"{form}.onnx")


def times(files: dict[str, Path], make_run: Callable, rounds: int) -> dict[str, np.ndarray]:
    """Returns each file's milliseconds of processor time, one a round, the files in turn."""
    runs = {form: make_run(file, 1, "cpu") for form, file in files.items()}
    taken: dict[str, list[float]] = {form: [] for form in files}
    for turn in TQDM(range(rounds + 1), desc=make_run.__name__, disable=False):
        for form, run in runs.items():
            start = time.process_time()
            run()
            if turn:  # the first allocates
                taken[form].append((time.process_time() - start) * 1e3)
    return {form: np.array(milliseconds) for form, milliseconds in taken.items()}


def main() -> None:
    parser = arguments.parser(__doc__)
    parser.add_argument("--rounds", type=int, default=25)
    options = parser.parse_args()
    logging.getLogger().setLevel(logging.ERROR)  # onnxruntime's advice on every call
    LOGGER.setLevel(logging.ERROR)
    costs = {form: cost(form) for form in FORMS}
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        files = {form: export(form, Path(folder)) for form in (BASE, *FORMS)}
        whole = {form: file.with_stem(f"{form}-int8") for form, file in files.items()}
        for form, file in files.items():
            int8.quantize(file, whole[form], Noise())
        for title, chosen, run_time in (
            ("ONNX Runtime", files, ort),
            ("ONNX Runtime, INT8", whole, ort),
            ("OpenVINO", files, openvino),
        ):
            taken = times(chosen, run_time, options.rounds)
            for form in (BASE, *FORMS):
                ratios = np.percentile(taken[form] / taken[BASE], (25, 50, 75)).round(3)
                own = round(float(np.median(taken[form] - taken[BASE])), 1)
                rows.append(
                    {"form": form, **costs.get(form, {}), "run_time": title,
                     "ms": round(float(np.median(taken[form])), 1), "own_ms": own,
                     "over_base": ratios[1], "q25": ratios[0], "q75": ratios[2]}
                )  # fmt: skip
                print("{form:<15}{run_time:<20}{ms:>8} ms  own {own_ms:>7} ms  {over_base}".format(**rows[-1]))
    for title in dict.fromkeys(row["run_time"] for row in rows):
        met = [row["form"] for row in rows if row["run_time"] == title and row["over_base"] <= BAR]
        print(f"{title}, at most {BAR} times the network without GAM: {', '.join(met[1:]) or 'none'}")
    where = machine("torch", "onnx", "onnxruntime-gpu", "openvino", "tensorrt_rtx", "ultralytics")
    print(f"written to {write_rows(FILE, rows, where)}")


if __name__ == "__main__":
    main()
