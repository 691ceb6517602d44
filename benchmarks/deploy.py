"""Measures exported networks: without attention, with the form people paste, and with ours, side by side.

    python -m benchmarks.deploy                    # ONNX Runtime and OpenVINO on the CPU, 1 and 2 threads; ~10 minutes
    python -m benchmarks.deploy --device cuda      # ONNX Runtime's CUDA and TensorRT providers

yolov5s and yolo26n at 640 pixels, attention before the head's three inputs. The pasted form
(tests/support/pasted) has the same weights and goes through the stock exporter. One session is open at a time;
rounds go over all files in turn, so that a busy machine slows all of them. `own` is the attention's time inside the
network, from ONNX Runtime's profiler on one thread: its nodes, and the changes of layout that the network without it
has not.

Writes benchmarks/results/deploy.csv (deploy_cuda.csv) and docs/deploy.png.
"""

import argparse
import gc
import logging
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
import yaml
from ultralytics import YOLO
from ultralytics.utils import LOGGER, TQDM

import yolo_attn
from benchmarks.machine import machine, write_rows
from tests.support.pasted import paste
from yolo_attn.export import runtime
from yolo_attn.export.layers import layer_of
from yolo_attn.nn import Attention

BASES = ("yolov5s", "yolo26n")
VARIANTS: dict[str, tuple[str, dict]] = {
    "GAM": ("gam", {}),
    "CBAM": ("cbam", {}),
    "ECA": ("eca", {}),
    "CoordAtt": ("coordatt", {}),
    "SE": ("se", {}),
}
LIGHTER = {"GAM groups=4": ("gam", {"groups": 4}), "GAM reduction=16": ("gam", {"reduction": 16})}
SHAPE = (1, 3, 640, 640)
BARS = {"ECA": 1.9, "SE": 1.7, "CBAM": 1.4, "CoordAtt": 1.3, "GAM": 1.0}
CHART = Path(__file__).parents[1] / "docs" / "deploy.png"


def export(
    base: str, attention: tuple[str, dict] | None, pasted: bool, folder: Path, name: str
) -> tuple[Path, list[str]]:
    """Returns an exported network and the module paths of its attention."""
    torch.manual_seed(0)
    source = folder / f"{name}.yaml"
    rows = yolo_attn.insert(f"{base}.yaml", attention[0], at="head", **attention[1]) if attention else None
    source.write_text(yaml.safe_dump(rows), encoding="utf-8")
    model: Any = YOLO(source if attention else f"{base}.yaml", task="detect")
    layers = [path for path, module in model.model.named_modules() if isinstance(module, Attention)]
    for path in layers if pasted else ():
        parent, _, child = path.rpartition(".")
        ours = model.model.get_submodule(path)
        theirs: Any = paste(ours)
        theirs.i, theirs.f, theirs.type, theirs.np = ours.i, ours.f, ours.type, ours.np
        setattr(model.model.get_submodule(parent), child, theirs)
    written = Path(model.export(format="onnx", imgsz=SHAPE[2]))
    return written.replace(folder / f"{name}.onnx"), layers


def ort(file: Path, threads: int, device: str) -> Callable[[], Any]:
    """Returns a function that runs the file once in ONNX Runtime."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads, options.log_severity_level = threads, 1, 3
    providers = {
        "cpu": "CPUExecutionProvider",
        "cuda": "CUDAExecutionProvider",
        "tensorrt": "TensorrtExecutionProvider",
    }
    session = onnxruntime.InferenceSession(file, options, providers=[providers[device]])
    if session.get_providers()[0] != providers[device]:
        raise SystemExit(
            f"ONNX Runtime has no {providers[device]} here: it offers {onnxruntime.get_available_providers()}"
        )
    feed = {session.get_inputs()[0].name: np.random.default_rng(0).random(SHAPE, np.float32)}
    return lambda: session.run(None, feed)


def openvino(file: Path, threads: int, _: str) -> Callable[[], Any]:
    """Returns a function that runs the file once in OpenVINO, pinned to FP32: its default on some CPUs is bfloat16."""
    from openvino import Core

    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1}
    compiled = Core().compile_model(file, "CPU", settings)
    image = np.random.default_rng(0).random(SHAPE, np.float32)
    return lambda: compiled(image)


def latencies(files: dict[str, Path], make: Callable, threads: int, device: str, rounds: int) -> dict[str, list[float]]:
    """Returns the milliseconds of each file's runs, one session at a time, the files in turn in each round."""
    times: dict[str, list[float]] = {name: [] for name in files}
    for _ in TQDM(range(rounds), desc=f"{make.__name__}, {device}, {threads} threads", disable=False):
        for name, file in files.items():
            run = make(file, threads, device)
            for repeat in range(5):
                start = time.perf_counter()
                run()
                if repeat:  # the first allocates
                    times[name].append((time.perf_counter() - start) * 1e3)
            del run
            gc.collect()
    return times


def own_times(files: dict[str, Path], layers: dict[str, list[str]], rounds: int) -> dict[str, tuple[float, float]]:
    """Returns for each file the attention's own milliseconds, and those of the whole network, medians of the rounds."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in files}
    for _ in TQDM(range(rounds), desc="profiler, 1 thread", disable=False):
        layout_of_base = 0.0
        for name, file in files.items():
            kernels = runtime.kernels(file, SHAPE)
            layout = sum(k.microseconds for k in kernels if k.operator.startswith("Reorder"))
            layout_of_base = layout if name == "base" else layout_of_base
            inside = sum(
                k.microseconds
                for k in kernels
                if any(layer_of(node, layers[name]) for node in k.names) and not k.operator.startswith("Reorder")
            )
            own = inside + layout - layout_of_base
            found[name].append((own / 1e3, sum(k.microseconds for k in kernels) / 1e3))
    return {
        name: (statistics.median(o for o, _ in pairs), statistics.median(t for _, t in pairs))
        for name, pairs in found.items()
    }


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
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    LOGGER.setLevel(logging.ERROR)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for base in BASES:
            rows += measure(base, Path(folder), arguments.device, arguments.rounds)
    where = machine("torch", "onnx", "onnxruntime-gpu", "onnxslim", "ultralytics") | {"device": arguments.device}
    if arguments.device == "cuda":
        where["gpu"] = torch.cuda.get_device_name()
    for row in rows:
        print(
            "{model:<9}{attention:<18}{form:<8}{run_time:<22}{threads} {ms:>9} ms {over_base:>6}  {own_ratio}".format(
                **row
            )
        )
    file = write_rows("deploy" if arguments.device == "cpu" else "deploy_cuda", [row | where for row in rows])
    if arguments.device == "cpu":
        chart(rows)
    print(f"written to {file}")


if __name__ == "__main__":
    main()
