"""Shows what putting attention into a trained network does to it before any further training, mAP50-95 at step 0.

    python -m benchmarks.learning.identity_start   # yolov5n, ten epochs at 160 pixels; about five minutes on two cores

A base is trained on the built-in set. Each operator is put into its backbone twice, the base's weights are loaded, and
both are validated as they are: one starts as the identity (what `pretrained=` does), one as its paper initialises it.
Writes benchmarks/learning/identity_start.csv.
"""

import csv
import tempfile
from pathlib import Path

import yaml

import yolo_attn
from benchmarks.learning.training import BUILT_IN, read_options, train
from benchmarks.machine import machine, write_rows
from yolo_attn import registry
from yolo_attn.surgery.rows import STARTS

FILE = Path(__file__).with_suffix(".csv")


def put_in(base: dict, operator: str, start: str) -> dict:
    """Returns the base with the operator after each stage of its backbone, told how to start."""
    return yolo_attn.insert(base, operator, at="backbone", start=start)


def accuracy(yolo, imgsz: int, device: str, folder: str) -> float:
    """Returns mAP50-95 of a model as it is."""
    metrics = yolo.val(imgsz=imgsz, device=device, project=folder, **BUILT_IN)
    return round(metrics.box.map, 4)


def markdown() -> str:
    """Returns the written results as a Markdown table."""
    with FILE.open() as stream:
        base, *rows = csv.DictReader(stream)
    lines = ["| put in | start: identity | start: paper |", "|---|---|---|"]
    lines.append(f"| nothing | {base['mAP50-95']} | {base['mAP50-95']} |")
    for identity, paper in zip(rows[::2], rows[1::2], strict=True):
        lines.append(f"| {identity['operator']} | {identity['mAP50-95']} | {paper['mAP50-95']} |")
    return "\n".join(lines)


def main() -> None:
    options = read_options(__doc__, registry.names())
    from ultralytics import YOLO

    settings = (options.imgsz, options.device)
    table = []
    with tempfile.TemporaryDirectory() as folder:
        train(
            f"{options.base}.yaml", folder, "base", fraction=0.5, epochs=options.epochs, imgsz=options.imgsz,
            device=options.device, nbs=16,
        )  # fmt: skip
        weights = Path(folder) / "base" / "weights" / "last.pt"
        rows = {key: value for key, value in YOLO(weights).model.yaml.items() if key != "yaml_file"}
        table.append({"operator": "none", "start": "", "mAP50-95": accuracy(YOLO(weights), *settings, folder)})
        for operator in options.operators:
            for start in STARTS:
                file = Path(folder) / f"{options.base}-{operator.lower()}-{start}.yaml"
                file.write_text(yaml.safe_dump(put_in(rows, operator, start)))
                model = YOLO(file).load(weights)
                table.append({"operator": operator, "start": start, "mAP50-95": accuracy(model, *settings, folder)})
    where = machine("ultralytics", "torch") | {"base": options.base, "epochs": options.epochs, "imgsz": options.imgsz}
    file = write_rows(FILE, table, where)
    print(f"{markdown()}\nwritten to {file}")


if __name__ == "__main__":
    main()
