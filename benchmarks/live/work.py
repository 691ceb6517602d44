"""A process of its own that runs a program whenever `throughput` tells it to, with numbers for its threads and size."""

import sys
import time

import numpy as np

FRAMES = 40  # of the video
Moment = tuple[float, float]


def moment() -> Moment:
    """Returns the time on the clock and that of this process's threads, in seconds."""
    return time.perf_counter(), time.process_time()


def work(program: str, model: str, clip: str, threads: int, imgsz: int) -> None:
    """Runs `program` once for each line that the process is sent, and answers with milliseconds per frame.

    The first is time on the clock, the second time of all its processors.
    """
    import onnxruntime

    if program == "stock":
        stock_session(onnxruntime, threads)
    for _ in sys.stdin:
        times = {"stock": run_stock, "live": run_live, "bare": run_bare}[program](model, clip, threads, imgsz)
        steps = np.subtract(times[-1], times[0]) / (len(times) - 1) * 1000
        print("took", *steps, flush=True)


def stock_session(onnxruntime, threads: int) -> None:
    """Lets Ultralytics' sessions have `threads` threads, which it has no option for."""
    import torch

    torch.set_num_threads(threads)
    original = onnxruntime.InferenceSession

    def session(path, options=None, **others):
        options = options or onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        return original(path, options, **others)

    onnxruntime.InferenceSession = session


def run_stock(model: str, clip: str, threads: int, imgsz: int) -> list[Moment]:
    from ultralytics import YOLO

    if not hasattr(run_stock, "yolo"):
        run_stock.yolo = YOLO(model)  # type: ignore[attr-defined]
    results = run_stock.yolo.predict(clip, imgsz=imgsz, stream=True, save=False, verbose=False)  # type: ignore[attr-defined]
    return [moment() for _ in results]


def run_live(model: str, clip: str, threads: int, imgsz: int) -> list[Moment]:
    import yolo_attn

    return [moment() for _ in yolo_attn.live(model, source=clip, threads=threads)]


def run_bare(model: str, clip: str, threads: int, imgsz: int) -> list[Moment]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # as yolo_attn.live has it
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    image = {session.get_inputs()[0].name: np.random.default_rng(0).random((1, 3, imgsz, imgsz), np.float32)}
    times = []
    for _ in range(FRAMES):
        session.run(None, image)
        times.append(moment())
    return times


if __name__ == "__main__":
    program, model, clip, *numbers = sys.argv[1:]
    work(program, model, clip, *map(int, numbers))
