"""Trains a model without and with each operator on the built-in set and shows how mAP50 grows, epoch by epoch.

    python -m benchmarks.learning            # yolov5n, half of the images, ten epochs; two minutes a model on two cores

One seed and few images: the curves show that every operator learns, not which one is better.
Writes benchmarks/results/learning.csv and docs/learning.png.
"""

import argparse
import csv
import tempfile
from pathlib import Path

from benchmarks.machine import machine, write_rows
from yolo_attn.models import OPERATORS

CHART = Path(__file__).parents[1] / "docs" / "learning.png"


def train(model: str, epochs: int, imgsz: int, device: str, folder: str) -> list[float]:
    """Returns mAP50 after every epoch of a training from scratch."""
    from ultralytics import YOLO

    YOLO(model).train(
        data="shapes.yaml", fraction=0.5, epochs=epochs, imgsz=imgsz, device=device, workers=0, project=folder,
        name=model, plots=False, verbose=False,
    )  # fmt: skip
    with (Path(folder) / model / "results.csv").open() as stream:
        return [float(row["metrics/mAP50(B)"]) for row in csv.DictReader(stream)]


def draw(curves: dict[str, list[float]], file: Path) -> None:
    """Draws one line a model."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4), layout="constrained")
    for model, curve in curves.items():
        plain = "-" not in model
        axes.plot(
            range(1, len(curve) + 1), curve, label=model, color="black" if plain else None, ls="--" if plain else "-"
        )
    axes.set(xlabel="epoch", ylabel="mAP50", title="Learning on the built-in set, from scratch, one seed")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(file, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", default="yolov5n")
    parser.add_argument("--operators", nargs="*", default=OPERATORS)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--imgsz", type=int, default=160)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()

    models = [options.base, *(f"{options.base}-{name.lower()}" for name in options.operators)]
    with tempfile.TemporaryDirectory() as folder:
        curves = {
            model: train(f"{model}.yaml", options.epochs, options.imgsz, options.device, folder) for model in models
        }
    where = machine("ultralytics", "torch") | {"device": options.device, "imgsz": options.imgsz}
    rows = [
        {"model": model, "epoch": epoch, "mAP50": round(value, 4)} | where
        for model, curve in curves.items()
        for epoch, value in enumerate(curve, 1)
    ]
    draw(curves, CHART)
    print(f"{'model':<20}" + "".join(f"{epoch:>7}" for epoch in range(1, options.epochs + 1)))
    for model, curve in curves.items():
        print(f"{model:<20}" + "".join(f"{value:>7.3f}" for value in curve))
    print(f"mAP50 after each epoch, written to {write_rows('learning', rows)}")


if __name__ == "__main__":
    main()
