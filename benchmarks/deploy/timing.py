"""How long an exported file takes, in ONNX Runtime and OpenVINO, and its attention within it."""

import gc
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from ultralytics.utils import TQDM

from benchmarks.deploy.variants import SHAPE
from yolo_attn.device.paths import layer_of
from yolo_attn.export import runtime


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
