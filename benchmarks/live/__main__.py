"""`yolo-attn live` beside stock `yolo predict`: `python -m benchmarks.live [--rounds 7]`.

Throughput: the same video (1280x720), the same ONNX file (yolov5n at 320 and 640) and the same number of threads of
ONNX Runtime for three programs: stock prediction (`YOLO(file).predict(clip, stream=True)`, nothing saved or printed),
`yolo_attn.live(file, clip)`, and a bare loop of `session.run` on one input. Each is a process of its own that waits
until it is its turn; they take turns, so that whatever else the machine does slows all of them. A run counts from its
first result to its last. Ratios are medians over the rounds' ratios. The time of the processors, of all threads
together, is given too: it hardly depends on what else the machine does.

Lag: a loopback camera in a process of its own sends 640x480 MJPEG at 30 frames per second and says when it sent which
picture. From capture to output is what `yolo-attn live` shows; from camera to output adds the way through HTTP and
FFmpeg.
"""

import os
import tempfile
from pathlib import Path

from benchmarks import arguments
from benchmarks.live.lag import lag
from benchmarks.live.throughput import make_clip, throughput
from benchmarks.machine import machine, write_rows

FILE = Path(__file__).with_name("live.csv")


def main() -> None:
    """Measures, prints and writes benchmarks/live/live.csv."""
    parser = arguments.parser(__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
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
    where = machine("ultralytics", "torch", "onnxruntime-gpu", "opencv-python", "numpy")
    print(write_rows(FILE, rows, where))


if __name__ == "__main__":
    main()
