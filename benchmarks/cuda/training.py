"""Trains with every operator on a GPU, as `yolo train` does it, and beside it on the CPU: losses, epoch by epoch.

    python -m benchmarks.cuda.training                     # all operators, one GPU; most minutes are the CPU's
    python -m benchmarks.cuda.training --compile           # with compile=True on the GPU
    python -m benchmarks.cuda.training --device 0,1        # DDP
    YOLO_ATTN_IMPL=triton python -m benchmarks.cuda.training --operators CBAM CoordAtt GAM TripletAttention

yolov5n on an eighth of the built-in set, from scratch and from one seed, in Ultralytics' defaults: on the GPU mixed
precision, channels last and deterministic algorithms. The CPU trains in float32 with the same batches, so the curves
are close and not equal. PyTorch's warnings about algorithms that are not deterministic are counted.

Writes benchmarks/cuda/training.csv.
"""

import os
import tempfile
import warnings
from pathlib import Path

import torch

from benchmarks import arguments
from benchmarks.learning.training import train
from benchmarks.machine import machine, write_rows
from yolo_attn import registry

FILE = Path(__file__).with_suffix(".csv")
LOSSES = ("train/box_loss", "train/cls_loss", "train/dfl_loss")


def losses(operator: str, device: str, epochs: int, compiled: bool, folder: str) -> tuple[list[dict[str, str]], int]:
    """Returns the losses after every epoch, and the number of warnings about determinism."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        rows = train(
            f"yolov5n-{operator.lower()}.yaml", folder, f"{operator}-{device}", fraction=0.125, epochs=epochs,
            imgsz=160, batch=16, device=device, compile=compiled,
        )  # fmt: skip
    warned = sum("deterministic" in str(warning.message).lower() for warning in seen)
    return [{loss: row[loss] for loss in LOSSES} for row in rows], warned


def main() -> None:
    parser = arguments.parser(__doc__)
    parser.add_argument("--operators", nargs="*", default=registry.names())
    parser.add_argument("--device", default="0")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--compile", action="store_true")
    options = parser.parse_args()
    if not torch.cuda.is_available():
        raise SystemExit("benchmarks.cuda.training needs an NVIDIA GPU")
    where = machine("ultralytics", "torch") | {"gpu": torch.cuda.get_device_name()}
    where |= {"compile": str(options.compile), "implementation": os.environ.get("YOLO_ATTN_IMPL", "auto")}
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for operator in options.operators:
            gpu, warned = losses(operator, options.device, options.epochs, options.compile, folder)
            implementation = os.environ.pop("YOLO_ATTN_IMPL", None)  # the CPU has one alone
            cpu, _ = losses(operator, "cpu", options.epochs, False, folder)
            if implementation:
                os.environ["YOLO_ATTN_IMPL"] = implementation
            for device, curve in ((options.device, gpu), ("cpu", cpu)):
                for epoch, row in enumerate(curve, 1):
                    count = warned if device != "cpu" else ""
                    rows.append({"operator": operator, "device": device, "epoch": epoch, **row, "warnings": count})
                print(f"{operator:<18}{device:<6}" + "  ".join("/".join(row.values()) for row in curve), flush=True)
            print(f"{operator:<18}warnings about determinism: {warned}")
    print(f"box/cls/dfl losses, written to {write_rows(FILE, rows, where)}")


if __name__ == "__main__":
    main()
