"""Ten minutes of a camera that fails every few seconds: `python -m benchmarks.live.soak model.onnx [--minutes 10]`.

Two loopback cameras send MJPEG at 30 frames per second. One is left alone; the other stalls, vanishes, sends broken
JPEGs, changes its size or sends ten times as fast, one fault after the other. What is measured: that nothing raises,
how long after the end of each fault the first frame comes out, how the memory of the process (resident set) grows, by
a line fitted to the samples after the first minute and to their second half, and the frames of the camera that was left
alone.
"""

import itertools
import statistics
import threading
import time
from pathlib import Path

import numpy as np

from benchmarks import arguments
from benchmarks.machine import machine, write_rows
from tests.support.live_camera import FakeCamera, number_of, wait_for
from yolo_attn.live import open_pipeline
from yolo_attn.live.annotate import annotate
from yolo_attn.live.options import LiveOptions

FILE = Path(__file__).with_suffix(".csv")
FAULT_SECONDS, BETWEEN_SECONDS = 2.5, 2.0


def resident() -> float:
    """Returns the resident memory of this process in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def fail(camera: FakeCamera, fault: str) -> None:
    """Lets the camera fail for a while and then be well again."""
    if fault == "stalls":
        camera.stalled = True
        time.sleep(FAULT_SECONDS)
        camera.stalled = False
    elif fault == "vanishes":
        camera.vanish()
        time.sleep(FAULT_SECONDS)
        camera.start()
    elif fault == "broken JPEGs":
        camera.broken = True
        time.sleep(FAULT_SECONDS)
        camera.broken = False
    elif fault == "another size":
        camera.size = (480, 640) if camera.size == (240, 320) else (240, 320)
    elif fault == "300 frames/s":
        camera.fps = 300.0
        time.sleep(FAULT_SECONDS)
        camera.fps = 30.0


FAULTS = ("stalls", "vanishes", "broken JPEGs", "another size", "300 frames/s")


def main() -> None:
    """Runs the soak and writes its result."""
    parser = arguments.parser(__doc__)
    parser.add_argument("model", help="an ONNX file")
    parser.add_argument("--minutes", type=float, default=10.0)
    options = parser.parse_args()
    with FakeCamera() as faulty, FakeCamera() as healthy:
        pipeline = open_pipeline(LiveOptions(options.model, [faulty.url, healthy.url], threads=1))
        newest, counts, raised = [0, 0], [0, 0], []

        def read() -> None:
            try:
                for result in pipeline.results():
                    if result is not None:
                        annotate(result)
                        newest[result.index] = number_of(result.frame)
                        counts[result.index] += 1
            except BaseException as error:
                raised.append(repr(error))

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        began, samples = time.monotonic(), []
        recovered: dict[str, list[float]] = {fault: [] for fault in FAULTS}
        for fault in itertools.cycle(FAULTS):
            fail(faulty, fault)
            sent, ended = faulty.sent, time.monotonic()
            wait_for(lambda sent=sent: (newest[0] - sent) % 65536 < 32768 and newest[0] != sent % 65536)
            recovered[fault].append(time.monotonic() - ended)
            time.sleep(BETWEEN_SECONDS)
            samples.append((time.monotonic() - began, resident()))
            if time.monotonic() - began > options.minutes * 60:
                break
        seconds = time.monotonic() - began
        pipeline.stop()
        reader.join(5)
    seconds_of, memory = np.array([sample for sample in samples if sample[0] > 60 or options.minutes <= 1]).T
    half = len(memory) // 2
    slope, last = (float(np.polyfit(seconds_of[k:] / 60, memory[k:], 1)[0]) for k in (0, half))
    rows = [
        {"fault": fault, "times": len(took), "recovered in, median s": round(statistics.median(took), 2)}
        | {"recovered in, longest s": round(max(took), 2)}
        for fault, took in recovered.items()
        if took
    ]
    common = {
        "minutes": round(seconds / 60, 1),
        "errors": len(raised),
        "memory MB": f"{memory[0]:.0f} to {memory[-1]:.0f}",
    }
    common |= {"memory slope MB/min": round(slope, 3), "in the second half": round(last, 3)}
    common |= {"frames of the faulty camera": counts[0]}
    common |= {"frames of the healthy camera": counts[1], "healthy camera frames/s": round(counts[1] / seconds, 1)}
    common |= machine("onnxruntime-gpu", "opencv-python", "numpy")
    print(write_rows(FILE, rows, common).read_text(), *raised, sep="\n")


if __name__ == "__main__":
    main()
