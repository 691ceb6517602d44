"""Times training steps of the operators on an NVIDIA GPU: pasted, ours, compiled, timm's twin, and the Triton kernels.

    python -m benchmarks.cuda                      # checks, then times; 8 minutes on one GPU at most
    python -m benchmarks.cuda --check              # the checks alone; TRITON_INTERPRET=1 lets them run without a GPU
    python -m benchmarks.cuda --operators CBAM --minutes 3

Under autocast to bfloat16, weights in float32; 128 channels of 80×80, 256 of 40×40 and 512 of 20×20, channels first and
last, N = 32, then N = 64 channels last, which is how Ultralytics trains. Every provider of a row is warm before the
first is timed. Columns:

    device      one step as a CUDA graph, so without the host's time, the L2 cache cleared before (`device_ms`, median;
                quartiles beside it)
    wall        the same step launched by PyTorch (`wall_ms`)
    peak        memory allocated beyond what was there before the step
    launches    kernels in the step, counted by the profiler
    share       what the ideal number of passes over the map would take at the speed of a copy on this card, measured in
                the same run, over the device time

Last comes one real training step of a yolov5s and a yolo26s with CBAM at 640 pixels, batch 16: forward, loss, backward,
optimizer, in Ultralytics' mixed precision, with and without the kernels, in turns.

What does not fit into the minutes is named and left out. Writes benchmarks/cuda/cuda.csv and cuda.png.
"""

import subprocess
import time
from pathlib import Path

import torch

from benchmarks import arguments
from benchmarks.cuda import checks, models, report, timing
from benchmarks.cuda.forms import OPERATORS
from benchmarks.machine import machine, write_rows
from yolo_attn.ops import choice

FILE = Path(__file__).with_name("cuda.csv")
SHAPES = ((128, 80), (256, 40), (512, 20))
ORDER = ((32, "last"), (32, "first"), (64, "last"))  # batch and layout
MODELS = ("yolov5s-cbam.yaml", "yolo26s-cbam.yaml")
RESERVED = 90  # seconds kept for the whole models


def main() -> None:
    parser = arguments.parser(__doc__)
    parser.add_argument("--operators", nargs="*", default=OPERATORS, choices=OPERATORS)
    parser.add_argument("--minutes", type=float, default=7.5)
    parser.add_argument("--check", action="store_true", help="compare with float64 and time nothing")
    options = parser.parse_args()
    end = time.monotonic() + options.minutes * 60
    if not torch.cuda.is_available() and not (options.check and choice.INTERPRETED):
        raise SystemExit(
            "benchmarks.cuda needs an NVIDIA GPU; without one: `TRITON_INTERPRET=1 python -m benchmarks.cuda --check`"
        )
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    checks.check(device)
    if options.check:
        return

    rows, left_out = [], []
    print(report.HEAD)
    for batch, layout in ORDER:
        for name in options.operators:
            for channels, size in SHAPES:
                if time.monotonic() > end - RESERVED:
                    left_out.append(f"{name} {channels}@{size} N={batch} {layout}")
                    continue
                for row in timing.rows_of(name, channels, size, batch, layout, device):
                    rows.append(row)
                    print(report.line(row), flush=True)
    for model in MODELS:
        rows += models.model_rows(model, device)
    where = machine("torch", "triton", "ultralytics") | {"gpu": torch.cuda.get_device_name(device)}
    where |= {"cuda": torch.version.cuda or "", "driver": driver()}
    file = write_rows(FILE, rows, where)
    report.draw(rows, FILE.with_suffix(".png"))
    if left_out:
        print(f"\nno time was left for: {', '.join(left_out)}")
    lines = [report.line(row) for row in rows if row["pass"] != "forward"]
    print("\n".join(["", report.HEAD, *lines, "", *report.summary(rows)]))
    print(f"\nwritten to {file} and cuda.png")


def driver() -> str:
    """Returns the version of the NVIDIA driver."""
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    return subprocess.run(command, capture_output=True, text=True).stdout.split("\n")[0].strip()


if __name__ == "__main__":
    main()
