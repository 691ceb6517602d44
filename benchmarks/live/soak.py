"""Ten minutes of cameras that fail: `python -m benchmarks.live.soak model.onnx [--minutes 10]`.

Two loopback cameras send MJPEG at 30 frames per second. One is left alone; the other stalls, vanishes, sends broken
JPEGs, changes its size, sends ten times as fast or refuses the password, one fault after the other. Beside them a
camera sends a picture every two seconds, an HLS stream (by ffmpeg) 25 a second, and one refuses the password always.
After each round of faults a recording run is ended by one of `benchmarks.live.ends`. What is measured: that nothing
raises, how long after the end of each fault the first frame comes out, which frames of the slow camera and of the HLS
stream were lost or read twice, how often the one that refuses was asked, what the ended runs lost, how the memory of
the process (resident set) grows, by a line fitted to the samples after the first minute and to their second half, and
the frames of the camera that was left alone.
"""

import contextlib
import functools
import itertools
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np

from benchmarks import arguments
from benchmarks.live.ends import ENDS
from benchmarks.machine import machine, write_rows
from tests.support.live_camera import FakeCamera, number_of, picture, wait_for
from yolo_attn.live import open_pipeline
from yolo_attn.live.annotate import annotate
from yolo_attn.live.options import LiveOptions
from yolo_attn.live.results import Result

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
    elif fault == "401":
        camera.refuses = True
        camera.vanish()
        camera.start()
        time.sleep(FAULT_SECONDS)
        camera.refuses = False


FAULTS = ("stalls", "vanishes", "broken JPEGs", "another size", "300 frames/s", "401")


class Order:
    """Whether a source's frames, which carry their numbers, were each read once: the two counts go side by side."""

    def __init__(self):
        self.frames, self.wrong = 0, 0
        self._ahead: int | None = None

    def see(self, result: Result) -> None:
        """Takes the next result of the source."""
        ahead = (number_of(result.frame) - result.number) % 65536
        if self._ahead is not None:
            self.wrong += min((ahead - self._ahead) % 65536, (self._ahead - ahead) % 65536)
        self._ahead, self.frames = ahead, self.frames + 1


@contextlib.contextmanager
def hls(folder: Path) -> Iterator[str]:
    """Yields the URL of a live playlist with segments of a second, at 25 numbered frames per second."""
    words = (
        "ffmpeg -loglevel error -f rawvideo -pix_fmt bgr24 -s 320x240 -r 25 -i - -c:v mpeg2video -q:v 2 -g 25 -f hls"
    )
    words += " -hls_time 1 -hls_list_size 8 -hls_flags delete_segments live.m3u8"
    encoder = subprocess.Popen(words.split(), cwd=folder, stdin=subprocess.PIPE)
    ended = threading.Event()

    def send() -> None:
        assert encoder.stdin
        began = time.monotonic()
        for number in itertools.count(1):
            if ended.wait(max(began + number / 25 - time.monotonic(), 0)):
                return
            encoder.stdin.write(picture(number, (240, 320)).tobytes())

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *words):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(folder)))
    threads = [threading.Thread(target=send, daemon=True), threading.Thread(target=server.serve_forever, daemon=True)]
    for thread in threads:
        thread.start()
    try:
        wait_for((folder / "live.m3u8").exists)
        yield f"http://127.0.0.1:{server.server_port}/live.m3u8"
    finally:
        ended.set()
        threads[0].join()
        encoder.communicate(timeout=10)
        server.shutdown()


def main() -> None:
    """Runs the soak and writes its result."""
    parser = arguments.parser(__doc__)
    parser.add_argument("model", help="an ONNX file")
    parser.add_argument("--minutes", type=float, default=10.0)
    options = parser.parse_args()
    with (
        FakeCamera() as faulty, FakeCamera() as healthy, FakeCamera(fps=0.5) as slow, FakeCamera() as locked,
        tempfile.TemporaryDirectory() as folder, hls(Path(folder)) as playlist,
    ):  # fmt: skip
        locked.refuses = True
        where = [faulty.url, healthy.url, slow.url, playlist, locked.url]
        pipeline = open_pipeline(LiveOptions(options.model, where, threads=1))
        newest, counts, raised = [0] * len(where), [0] * len(where), []
        orders = {2: Order(), 3: Order()}

        def read() -> None:
            try:
                for result in pipeline.results():
                    if result is not None:
                        annotate(result)
                        newest[result.index] = number_of(result.frame)
                        counts[result.index] += 1
                        if order := orders.get(result.index):
                            order.see(result)
            except BaseException as error:
                raised.append(repr(error))

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        began, samples = time.monotonic(), []
        recovered: dict[str, list[float]] = {fault: [] for fault in FAULTS}
        lost: dict[str, list[dict]] = {end: [] for end in ENDS}
        turns = itertools.cycle(ENDS)
        for fault in itertools.cycle(FAULTS):
            if fault == FAULTS[0]:
                lost[end := next(turns)].append(ENDS[end](options.model))
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
    for index, name in ((2, "0.5 frames/s"), (3, "HLS")):
        source, order = pipeline.sources[index], orders[index]
        rows.append({"fault": name, "frames": source.frames, "frames lost or twice": order.wrong})
        rows[-1]["opened again"] = source.reconnects
    rows.append({"fault": "401 all the time", "asked": locked.asked, "opened again": pipeline.sources[4].reconnects})
    for end, found in lost.items():
        if found:
            rows.append({"fault": end, "times": len(found)} | {key: max(one[key] for one in found) for key in found[0]})
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
