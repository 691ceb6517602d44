"""How long the exported networks take, side by side: one thread of this CPU, in ONNX Runtime, the files in turn."""

import statistics
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnxruntime
from ultralytics.utils import TQDM

from yolo_attn.evidence.quiet import quiet
from yolo_attn.export.command import exported

ROUNDS, SECONDS = 30, 60.0  # at most, for all files together


def of_models(models: Mapping[str, str], imgsz: int) -> dict[str, float]:
    """Returns the milliseconds of each model, exported as ONNX with the weights that it starts with.

    Args:
        models: Each model's name or path as `yolo export model=` takes it, by what it is called here.
        imgsz: The image's side in pixels.
    """
    with tempfile.TemporaryDirectory() as name:
        files: dict[str, Path] = {}
        for called, model in TQDM(models.items(), desc="exporting for their latency", disable=False):
            files[called] = file_of(model, imgsz, Path(name) / str(len(files)))
        return of_files(files)


def file_of(model: str, imgsz: int, folder: Path) -> Path:
    """Exports a model as ONNX into a new folder and returns the file."""
    folder.mkdir()
    with quiet():
        return exported(model, "onnx", {"imgsz": imgsz}, folder).file


def of_files(files: Mapping[str, Path]) -> dict[str, float]:
    """Returns the median milliseconds of each file, at the size that it has; its pictures are noise."""
    sessions: dict[str, tuple] = {}
    times: dict[str, list[float]] = {}
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    for called, file in files.items():
        session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
        taken = session.get_inputs()[0]
        feed = {taken.name: np.random.default_rng(0).random(taken.shape, np.float32)}
        sessions[called], times[called] = (session, feed), []
        session.run(None, feed)  # the first takes memory
    end = time.perf_counter() + SECONDS
    for _ in range(ROUNDS):
        for called, (session, feed) in sessions.items():
            began = time.perf_counter()
            session.run(None, feed)
            times[called].append(1e3 * (time.perf_counter() - began))
        if time.perf_counter() > end:
            break
    return {called: statistics.median(taken) for called, taken in times.items()}
