"""What `yolo-attn ablate` saves: one pass for all variants of a checkpoint against a validation for each.

    python -m benchmarks.evidence.speed best.pt shapes.yaml --imgsz 160

In processor seconds of one thread, without reading the checkpoint. Prints and writes benchmarks/evidence/speed.csv.
"""

import time
from collections.abc import Callable
from pathlib import Path

import torch

from benchmarks.arguments import parser
from benchmarks.machine import machine, write_rows
from yolo_attn.evidence import layers, validation

FILE = Path(__file__).with_name("speed.csv")


def seconds(work: Callable[[], object]) -> float:
    """Returns the processor's seconds that `work` takes."""
    start = time.process_time()
    work()
    return time.process_time() - start


def main() -> None:
    command = parser(__doc__)
    command.add_argument("model", help="a trained checkpoint with attention")
    command.add_argument("data", help="the data set")
    command.add_argument("--imgsz", type=int, default=640)
    command.add_argument("--batch", type=int, default=16)
    options = command.parse_args()

    torch.set_num_threads(1)
    settings = {"data": options.data, "imgsz": options.imgsz, "batch": options.batch, "plots": False, "verbose": False}
    model = layers.load(options.model)
    paths = list(layers.attention(model.model))
    variants = {path: [path] for path in paths} | {"all": paths}
    model.val(**settings)  # the first one looks at the labels and warms up
    alone = seconds(lambda: layers.load(options.model).val(**settings))
    together = seconds(lambda: validation.validate(layers.load(options.model), variants, **settings))
    row = {
        "model": Path(options.model).stem, "data": options.data, "imgsz": options.imgsz, "layers": len(paths),
        "validations": len(variants) + 1, "one_validation": round(alone, 1), "one_pass": round(together, 1),
        "times_as_fast": round(alone * (len(variants) + 1) / together, 2),
    }  # fmt: skip
    print(row)
    write_rows(FILE, [row], machine("ultralytics", "torch"))


if __name__ == "__main__":
    main()
