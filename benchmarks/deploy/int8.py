"""What INT8 costs in mAP and gains in time: without attention, and with GAM, CBAM, ECA and CoordAtt.

    python -m benchmarks.deploy.int8                         # trains first: an hour on two cores
    python -m benchmarks.deploy.int8 --checkpoints folder    # with base.pt, gam.pt, … of an earlier run

Accuracy: yolov5n, 20 epochs on the built-in set at 160 pixels, and for each operator 5 more epochs from those weights
with the attention before the head; FP32 and INT8 files validated in ONNX Runtime. Calibrated on 64 training images, so
that no image of the validation is among them. Speed: yolov5s at 640 pixels, one thread, FP32 and INT8 in turn.

The network without attention goes through the same quantizer, as the stock exporter's INT8 keeps SiLU in float and is
slower than FP32. Writes benchmarks/deploy/int8.csv.
"""

import logging
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from onnxruntime.quantization import CalibrationDataReader
from ultralytics import YOLO
from ultralytics.data.augment import LetterBox
from ultralytics.data.utils import check_det_dataset
from ultralytics.utils import LOGGER, TQDM
from ultralytics.utils.patches import imread

from benchmarks import arguments
from benchmarks.deploy.timing import ort
from benchmarks.deploy.variants import SHAPE
from benchmarks.machine import machine, write_rows
from yolo_attn.export import int8

FILE = Path(__file__).with_suffix(".csv")
OPERATORS = ("gam", "cbam", "eca", "coordatt")
TRAINED = 160
ROUNDS = 10


class Images(CalibrationDataReader):
    """Training images of the built-in set, as `yolo predict` hands them to a model of that size."""

    def __init__(self, size: int, number: int):
        folder = Path(check_det_dataset("shapes.yaml")["train"])
        self.size, self.files = size, iter(sorted(folder.glob("*.jpg"))[:number])

    def get_next(self):
        file = next(self.files, None)
        if file is None:
            return None
        image = LetterBox((self.size, self.size), auto=False)(image=imread(str(file)))
        return {"images": np.ascontiguousarray(image[..., ::-1].transpose(2, 0, 1)[None], np.float32) / 255}


def train(folder: Path) -> None:
    """Trains what `folder` lacks."""
    settings = {
        "data": "shapes.yaml",
        "imgsz": TRAINED,
        "seed": 0,
        "batch": 16,
        "plots": False,
        "val": False,
        "workers": 0,
    }
    base = folder / "base.pt"
    if not base.exists():
        YOLO("yolov5n.yaml").train(epochs=20, close_mosaic=5, project=str(folder), name="base", **settings)
        (folder / "base" / "weights" / "last.pt").replace(base)
    for name in OPERATORS:
        if not (folder / f"{name}.pt").exists():
            model = YOLO(f"yolov5n-{name}-head.yaml").load(base)
            model.train(epochs=5, close_mosaic=2, project=str(folder), name=name, **settings)
            (folder / name / "weights" / "last.pt").replace(folder / f"{name}.pt")


def both(model, folder: Path, name: str, size: int, images: int) -> tuple[Path, Path]:
    """Returns the model's FP32 and INT8 files."""
    written = Path(model.export(format="onnx", imgsz=size))
    file = written.replace(folder / f"{name}-{size}.onnx")
    quantized = file.with_name(f"{name}-{size}-int8.onnx")
    int8.quantize(file, quantized, Images(size, images))
    return file, quantized


def accuracy(file: Path) -> float:
    """Returns the file's mAP50-95 on the built-in set, in points."""
    result = YOLO(file, task="detect").val(data="shapes.yaml", imgsz=TRAINED, batch=1, plots=False, workers=0)
    return 100 * float(result.box.map)


def milliseconds(files: tuple[Path, ...]) -> list[float]:
    """Returns the median time of one run of each file on one thread, the files in turn."""
    runs = [ort(file, 1, "cpu") for file in files]
    times: list[list[float]] = [[] for _ in files]
    for turn in range(ROUNDS + 1):
        for run, taken in zip(runs, times, strict=True):
            start = time.perf_counter()
            run()
            if turn:
                taken.append((time.perf_counter() - start) * 1e3)
    return [float(np.median(taken)) for taken in times]


def main() -> None:
    parser = arguments.parser(__doc__)
    parser.add_argument("--checkpoints", type=Path, help="a folder with base.pt, gam.pt, …; what it lacks is trained")
    options = parser.parse_args()
    logging.getLogger().setLevel(logging.ERROR)  # onnxruntime's advice on every call
    LOGGER.setLevel(logging.ERROR)
    rows = []
    where = machine("torch", "onnx", "onnxruntime-gpu", "ultralytics")
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.checkpoints or Path(temporary)
        train(folder)
        for name in TQDM(("base", *OPERATORS), disable=False):
            fp32, quantized = map(accuracy, both(YOLO(folder / f"{name}.pt"), Path(temporary), name, TRAINED, 64))
            torch.manual_seed(0)
            large = YOLO("yolov5s.yaml" if name == "base" else f"yolov5s-{name}-head.yaml", task="detect")
            slow, fast = milliseconds(both(large, Path(temporary), name, SHAPE[2], 4))
            rows.append(
                {"attention": name, "fp32_map": round(fp32, 2), "int8_map": round(quantized, 2),
                 "lost": round(fp32 - quantized, 2), "fp32_ms": round(slow, 1), "int8_ms": round(fast, 1),
                 "faster": round(slow / fast, 2)}
            )  # fmt: skip
            print("{attention:<9} mAP50-95 {fp32_map} -> {int8_map}  {faster}x".format(**rows[-1]), flush=True)
    print(f"written to {write_rows(FILE, rows, where)}")


if __name__ == "__main__":
    main()
