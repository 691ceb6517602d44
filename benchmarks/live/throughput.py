"""Milliseconds per frame of three programs on the same video, each in a process of its own, in turns."""

import statistics
import subprocess
import sys
from pathlib import Path

import cv2

from benchmarks.live.work import FRAMES


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


def spawn(module: str, *arguments: str) -> subprocess.Popen:
    """Starts a module of this folder as a process that is written to and read from."""
    command = [sys.executable, "-m", f"benchmarks.live.{module}", *arguments]
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
    processes = {name: spawn("work", name, str(model), str(clip), str(threads), str(imgsz)) for name in names}
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
