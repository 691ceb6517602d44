"""From a camera to the output: how long a picture takes. As a process of its own this file is the camera."""

import threading
import time
from pathlib import Path

import numpy as np

from benchmarks.live.throughput import spawn
from yolo_attn.live.options import LiveOptions

LAG_SECONDS = 20.0


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

    process = spawn("lag")
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
    inference = pipeline.spent["infer"][1] / (len(seen) + 2 * 30) * 1000
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


if __name__ == "__main__":
    camera()
