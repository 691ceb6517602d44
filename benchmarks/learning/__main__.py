"""Trains a model without and with each operator on the built-in set and shows how mAP50 grows, epoch by epoch.

    python -m benchmarks.learning            # yolov5n, half of the images, ten epochs; two minutes a model on two cores

One seed and few images: the curves show that every operator learns, not which one is better.
Writes benchmarks/learning/learning.csv and learning.png.
"""

import tempfile
from pathlib import Path

from benchmarks.learning.training import read_options, train
from benchmarks.machine import machine, write_rows
from yolo_attn.models import OPERATORS

FILE = Path(__file__).with_name("learning.csv")


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
    options = read_options(__doc__, OPERATORS)

    models = [options.base, *(f"{options.base}-{name.lower()}" for name in options.operators)]
    settings = {"fraction": 0.5, "epochs": options.epochs, "imgsz": options.imgsz, "device": options.device}
    with tempfile.TemporaryDirectory() as folder:
        trained = {model: train(f"{model}.yaml", folder, model, **settings) for model in models}
    curves = {model: [float(row["metrics/mAP50(B)"]) for row in rows] for model, rows in trained.items()}
    rows = [
        {"model": model, "epoch": epoch, "mAP50": round(value, 4)}
        for model, curve in curves.items()
        for epoch, value in enumerate(curve, 1)
    ]
    where = machine("ultralytics", "torch") | {"device": options.device, "imgsz": options.imgsz}
    draw(curves, FILE.with_suffix(".png"))
    print(f"{'model':<20}" + "".join(f"{epoch:>7}" for epoch in range(1, options.epochs + 1)))
    for model, curve in curves.items():
        print(f"{model:<20}" + "".join(f"{value:>7.3f}" for value in curve))
    print(f"mAP50 after each epoch, written to {write_rows(FILE, rows, where)}")


if __name__ == "__main__":
    main()
