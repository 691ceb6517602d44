"""`yolo-attn live` beside stock `yolo predict`: `python -m benchmarks.live [--rounds 7]`.

Throughput: the same video (1280x720), the same ONNX file (yolov5n at 320 and 640) and the same number of threads of
ONNX Runtime for three programs: stock prediction (`YOLO(file).predict(clip, stream=True)`, nothing saved or printed),
`yolo_attn.live(file, clip)`, and a bare loop of `session.run` on one input. Each is a process of its own that waits
until it is its turn; they take turns, so that whatever else the machine does slows all of them. A run counts from its
first result to its last. Ratios are medians over the rounds' ratios. The time of
the processors, of all threads together, is given too: it hardly depends on what else the machine does.

Lag: a loopback camera in a process of its own sends 640x480 MJPEG at 30 frames per second and says when it sent which
picture. From capture to output is what `yolo-attn live` shows; from camera to output adds the way through HTTP and
FFmpeg.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import cv2
import numpy as np

from benchmarks.machine import RESULTS, machine, write_rows
from yolo_attn.live.options import LiveOptions

FRAMES = 40  # of the video
LAG_SECONDS = 20.0
Moment = tuple[float, float]


def moment() -> Moment:
    """Returns the time on the clock and that of this process's threads, in seconds."""
    return time.perf_counter(), time.process_time()


def make_clip(file: Path) -> Path:
    """Writes a video that pans over Ultralytics' two pictures."""
    from tests.support.live_models import PICTURES

    writer = cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*"mp4v"), 30, (1280, 720))
    pictures = [cv2.resize(cv2.imread(str(path)), (1600, 900)) for path in PICTURES]
    for number in range(FRAMES):
        image, shift = pictures[2 * number // FRAMES], number % (FRAMES // 2) * 4
        writer.write(image[shift : shift + 720, shift : shift + 1280])
    writer.release()
    return file


def work(program: str, model: str, clip: str, threads: int, imgsz: int) -> None:
    """A process that runs `program` once for each line it is sent, and answers with milliseconds per frame.

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


def spawn(*arguments: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "benchmarks.live", *arguments]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )


def answer(process: subprocess.Popen) -> tuple[float, float]:
    """Lets a process run once and returns its milliseconds per frame; what Ultralytics prints is passed over."""
    assert process.stdin and process.stdout
    process.stdin.write("go\n")
    process.stdin.flush()
    while not (line := process.stdout.readline()).startswith("took"):
        assert line, "the process ended"
    clock, processors = map(float, line.split()[1:])
    return clock, processors


def throughput(model: Path, clip: Path, imgsz: int, threads: int, rounds: int) -> dict:
    """Returns one row: the three programs' times and their ratios."""
    names = ["bare", "stock", "live"]
    processes = {name: spawn("--work", name, str(model), str(clip), str(threads), str(imgsz)) for name in names}
    times: dict[str, list[float]] = {name: [] for name in names}
    work: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(rounds + 1):
        for name in names[turn % 3 :] + names[: turn % 3]:
            clock, processors = answer(processes[name])
            if turn:  # the first warms up
                times[name].append(clock)
                work[name].append(processors)
    for process in processes.values():
        process.communicate()
    ratio = {name: [t / b for t, b in zip(times[name], times["bare"], strict=True)] for name in names}
    gain = statistics.median(s / t for s, t in zip(times["stock"], times["live"], strict=True))
    return {
        "what": "throughput", "imgsz": imgsz, "threads": threads, "rounds": rounds,
        **{f"{name} ms": round(statistics.median(times[name]), 2) for name in names},
        **{f"{name} processor ms": round(statistics.median(work[name]), 2) for name in names},
        "live over stock, frames/s": round(gain, 2),
        "live over bare, time": round(statistics.median(ratio["live"]), 3),
        "stock: share not inference": round(1 - 1 / statistics.median(ratio["stock"]), 3),
        "live: share not inference": round(1 - 1 / statistics.median(ratio["live"]), 3),
    }  # fmt: skip


def camera() -> None:
    """A process that is a camera: it says its address, then which picture it sent when."""
    from tests.support.live_camera import FakeCamera

    with FakeCamera(fps=30, size=(480, 640)) as fake:
        print(fake.url, flush=True)
        said = 0
        while True:
            time.sleep(0.01)
            while said < fake.sent and said + 1 in fake.times:
                said += 1
                print(said, fake.times[said], flush=True)


def lag(model: Path, imgsz: int, threads: int) -> dict:
    """Returns one row: the lag of `yolo_attn.live` on a camera."""
    import yolo_attn.live
    from tests.support.live_camera import number_of

    process = spawn("--camera")
    assert process.stdout
    url, sent = process.stdout.readline().strip(), {}

    def listen() -> None:
        for line in process.stdout or ():
            number, moment = line.split()
            sent[int(number)] = float(moment)

    threading.Thread(target=listen, daemon=True).start()
    pipeline = yolo_attn.live.open_pipeline(LiveOptions(str(model), url, device="cpu", threads=threads))
    seen: list[tuple[int, float, float]] = []
    began = 0.0
    for result in pipeline.results():
        if result is None:
            continue
        now = time.monotonic()
        began = began or now
        if now - began > 2:  # the first pictures wait while FFmpeg looks at the stream
            seen.append((number_of(result.frame), result.lag * 1000, now))
        if now - began > LAG_SECONDS:
            pipeline.stop()
            break
    inference = pipeline.inference_seconds / (len(seen) + 2 * 30) * 1000
    time.sleep(0.2)
    process.kill()
    through = [(now - sent[number]) * 1000 for number, _, now in seen if number in sent]
    shown = [ms for _, ms, _ in seen]
    p = lambda values, percent: round(float(np.percentile(values, percent)), 1)  # noqa: E731
    return {
        "what": "lag on a camera of 30 frames/s", "imgsz": imgsz, "threads": threads,
        "frames/s": round((len(seen) - 1) / (seen[-1][2] - seen[0][2]), 1), "inference ms": round(inference, 1),
        "lag p50 ms": p(shown, 50), "lag p95 ms": p(shown, 95), "lag p99 ms": p(shown, 99),
        "interval + inference ms": round(1000 / 30 + inference, 1),
        "from camera p50 ms": p(through, 50), "from camera p95 ms": p(through, 95),
    }  # fmt: skip


def main() -> None:
    """Measures, prints and writes benchmarks/results/live.csv."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--work", nargs=5, help=argparse.SUPPRESS)
    parser.add_argument("--camera", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        program, model, clip, threads, imgsz = options.work
        return work(program, model, clip, int(threads), int(imgsz))
    if options.camera:
        return camera()
    from tests.support.live_models import export

    here = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)  # the exporter writes beside the model, which is nowhere
        clip, rows = make_clip(Path("clip.mp4").absolute()), []
        models = {}
        for size in (160, 320, 640):
            (target := Path(folder) / str(size)).mkdir()
            models[size] = export("yolov5n.yaml", target, imgsz=size)
        os.chdir(here)
        for imgsz, threads in ((320, 1), (640, 1), (320, 2)):
            rows.append(throughput(models[imgsz], clip, imgsz, threads, options.rounds))
            print(rows[-1], flush=True)
        for imgsz in (160, 320):
            rows.append(lag(models[imgsz], imgsz, 1))
            print(rows[-1], flush=True)
    columns = dict.fromkeys(key for row in rows for key in row)
    common = machine("ultralytics", "torch", "onnxruntime-gpu", "opencv-python", "numpy")
    write_rows("live", [{key: row.get(key, "") for key in columns} | common for row in rows])
    print(RESULTS / "live.csv")
    return None


if __name__ == "__main__":
    main()
