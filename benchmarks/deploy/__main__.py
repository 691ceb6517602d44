"""Measures exported networks: without attention, with the form people paste, and with ours, side by side.

    python -m benchmarks.deploy                    # ONNX Runtime and OpenVINO on the CPU, 1 and 2 threads; ~10 minutes
    python -m benchmarks.deploy --device cuda      # ONNX Runtime's CUDA and TensorRT providers

yolov5s and yolo26n at 640 pixels, attention before the head's three inputs. The pasted form
(tests/support/pasted) has the same weights and goes through the stock exporter. One session is open at a time;
rounds go over all files in turn, so that a busy machine slows all of them. `own` is the attention's time inside the
network, from ONNX Runtime's profiler on one thread: its nodes, and the changes of layout that the network without it
has not.

Writes benchmarks/deploy/deploy.csv (deploy_cuda.csv) and docs/deploy.png.
"""

import logging
import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from ultralytics.utils import LOGGER, TQDM

from benchmarks import arguments
from benchmarks.deploy.timing import latencies, openvino, ort, own_times
from benchmarks.deploy.variants import LIGHTER, VARIANTS, export
from benchmarks.machine import machine, write_rows

FILE = Path(__file__).with_name("deploy.csv")
BASES = ("yolov5s", "yolo26n")
BARS = {"ECA": 1.9, "SE": 1.7, "CBAM": 1.4, "CoordAtt": 1.3, "GAM": 1.0}
CHART = Path(__file__).parents[2] / "docs" / "deploy.png"


def measure(base: str, folder: Path, device: str, rounds: int) -> list[dict]:
    """Returns the rows of one base network."""
    files: dict[str, Path] = {}
    layers: dict[str, list[str]] = {}
    wanted: dict[str, tuple] = {"base": (None, False)}
    for variant, attention in VARIANTS.items():
        wanted |= {f"{variant} pasted": (attention, True), f"{variant} ours": (attention, False)}
    if base == "yolov5s":
        wanted |= {f"{variant} ours": (attention, False) for variant, attention in LIGHTER.items()}
    for name, (attention, pasted) in TQDM(wanted.items(), desc=f"exporting {base}", disable=False):
        files[name], layers[name] = export(base, attention, pasted, folder, f"{base}-{name.replace(' ', '-')}")
    own = own_times(files, layers, rounds) if device == "cpu" else {}
    timed = {}
    if device == "cpu":
        for threads in (1, 2):
            timed["ONNX Runtime", threads] = latencies(files, ort, threads, device, rounds)
        try:
            timed["OpenVINO f32", 1] = latencies(files, openvino, 1, device, max(rounds // 2, 2))
        except ImportError:
            print("OpenVINO is not installed: not measured")
    else:
        timed["ONNX Runtime CUDA", 1] = latencies(files, ort, 1, "cuda", rounds)
        if "TensorrtExecutionProvider" in onnxruntime.get_available_providers():
            timed["ONNX Runtime TensorRT", 1] = latencies(files, ort, 1, "tensorrt", rounds)
    rows = []
    for (run_time, threads), times in timed.items():
        for name, milliseconds in times.items():
            low, median, high = np.percentile(milliseconds, (25, 50, 75))
            attention, _, form = name.rpartition(" ")
            row = {
                "model": base, "attention": attention or "none", "form": form if attention else "base",
                "run_time": run_time, "threads": threads,
                "ms": round(median, 2), "q25": round(low, 2), "q75": round(high, 2),
                "over_base": round(median / np.median(times["base"]), 3),
                "nodes": len(onnx.load(files[name]).graph.node),
                "own_ms": "", "own_share": "", "own_ratio": "", "bar": "",
            }  # fmt: skip
            if attention and own and (run_time, threads) == ("ONNX Runtime", 1):
                row |= {"own_ms": round(own[name][0], 3), "own_share": round(own[name][0] / own[name][1], 4)}
                if form == "ours" and f"{attention} pasted" in own:
                    ratio = own[f"{attention} pasted"][0] / own[name][0]
                    row |= {"own_ratio": round(ratio, 2), "bar": BARS[attention]}
            rows.append(row)
    return rows


def chart(rows: list[dict]) -> None:
    """Draws the attention's own time, pasted and ours, for each base network."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(BASES), figsize=(10, 3.4), layout="constrained")
    for axis, base in zip(axes, BASES, strict=True):
        timed = {(row["attention"], row["form"]): row for row in rows if row["model"] == base and row["own_ms"] != ""}
        for place, attention in enumerate(VARIANTS):
            for shift, form, colour in ((-0.2, "pasted", "#b0b7c3"), (0.2, "ours", "#2f6fde")):
                own = timed[attention, form]["own_ms"]
                axis.bar(place + shift, own, 0.38, color=colour, label=form if not place else None)
                said = f"{own:.2g}" if own < 10 else f"{own:.0f}"
                axis.annotate(said, (place + shift, own), ha="center", va="bottom", fontsize=8)
        labels = [f"{name}\n{timed[name, 'ours']['own_ratio']}×" for name in VARIANTS]
        axis.set_xticks(range(len(VARIANTS)), labels)
        axis.set_yscale("log")
        axis.margins(y=0.15)
        axis.set_title(f"{base}: attention's own time in the network, ms", fontsize=10)
        axis.spines[["top", "right"]].set_visible(False)
        axis.legend(frameon=False, loc="upper right")
    figure.savefig(CHART, dpi=130)


def main() -> None:
    parser = arguments.parser(__doc__)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    LOGGER.setLevel(logging.ERROR)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for base in BASES:
            rows += measure(base, Path(folder), options.device, options.rounds)
    where = machine("torch", "onnx", "onnxruntime-gpu", "onnxslim", "ultralytics") | {"device": options.device}
    if options.device == "cuda":
        where["gpu"] = torch.cuda.get_device_name()
    for row in rows:
        print(
            "{model:<9}{attention:<18}{form:<8}{run_time:<22}{threads} {ms:>9} ms {over_base:>6}  {own_ratio}".format(
                **row
            )
        )
    file = write_rows(FILE if options.device == "cpu" else FILE.with_stem("deploy_cuda"), rows, where)
    if options.device == "cpu":
        chart(rows)
    print(f"written to {file}")


if __name__ == "__main__":
    main()
