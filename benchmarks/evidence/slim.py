"""What `yolo-attn slim` loses at each rank, fitted to the data and not: paired over several dense checkpoints.

    python -m benchmarks.evidence.slim runs/compare/gam-forms/yolov5n-gam/seed*/weights/last.pt --data shapes.yaml

The checkpoints are those of `python -m benchmarks.learning.gam`. Nothing is trained. Losses are in points of mAP50-95,
with the 95 % interval over the checkpoints. Writes benchmarks/evidence/slim.csv.
"""

import tempfile
from pathlib import Path

import torch

from benchmarks.arguments import parser
from benchmarks.machine import machine, write_rows
from yolo_attn.evidence import checkpoint, layers, separable, slim, verdict
from yolo_attn.evidence.options import SlimOptions
from yolo_attn.evidence.results import mean
from yolo_attn.evidence.slim import SEVENS, Fitted

FILE = Path(__file__).with_name("slim.csv")


def unfitted(network: torch.nn.Module, gams: dict[int, list[str]], ranks: list[int]) -> Fitted:
    """Returns the factors of the convolutions as they are, whatever they meet."""
    found, fits = {}, {}
    for path in (f"{one}.{name}" for paths in gams.values() for one in paths for name in SEVENS):
        conv = network.get_submodule(path)
        assert isinstance(conv, torch.nn.Conv2d)
        found[path] = separable.factors(conv)
        fits[path] = {rank: separable.Fit(float("nan"), torch.zeros(conv.out_channels)) for rank in ranks}
    return Fitted(found, fits)


def main() -> None:
    command = parser(__doc__)
    command.add_argument("models", nargs="+", help="trained checkpoints with dense GAM")
    command.add_argument("--data", required=True)
    command.add_argument("--ranks", type=int, nargs="+", default=[2, 4, 8, 16, 32])
    options = command.parse_args()

    torch.set_num_threads(1)
    accuracies: dict[tuple[str, int], dict[int, float]] = {}
    sizes: dict[int, float] = {}
    errors: dict[int, list[float]] = {rank: [] for rank in options.ranks}
    for seed, file in enumerate(options.models):
        asked = SlimOptions(model=file, data=options.data, o="slim.pt", rank=2)
        model = layers.load(file)
        network = layers.network(model)
        gams = slim.dense(network, file)
        fitted = slim.fitted(asked, gams, dict.fromkeys(gams, options.ranks))
        for rank in options.ranks:
            errors[rank].append(max(of[rank] for of in fitted.errors(gams).values()))
        accuracies.setdefault(("dense", 0), {})[seed] = accuracy(Path(file), asked)
        for kind, found in (("data", fitted), ("nothing", unfitted(network, gams, options.ranks))):
            for rank in options.ranks:
                made = slim.slimmed(network, gams, found, dict.fromkeys(gams, rank))
                sizes[rank] = sum(one.numel() for one in made.parameters()) / 1e6
                with tempfile.TemporaryDirectory() as folder:
                    checkpoint.save(model, made, Path(folder, "slim.pt"))
                    accuracies.setdefault((kind, rank), {})[seed] = accuracy(Path(folder, "slim.pt"), asked)
        sizes[0] = sum(one.numel() for one in network.parameters()) / 1e6
    dense = accuracies[("dense", 0)]
    seeds = range(len(options.models))
    rows = []
    for (kind, rank), scores in accuracies.items():
        row: dict = {"fitted_to": kind, "rank": rank or "", "parameters_m": round(sizes[rank], 3)}
        row |= {
            "error": round(mean(errors[rank]), 4) if kind == "data" else "",
            "mAP50-95": round(mean(scores.values()), 2),
        }
        if rank:
            one = verdict.judge(dense, {"slim": scores}, seeds, 0.0)["slim"]
            row |= {"lost": round(-one.difference, 2), "low": round(-one.high, 2), "high": round(-one.low, 2)}
        rows.append(row)
        print(row)
    where = {"checkpoints": len(options.models), "data": options.data}
    print(f"written to {write_rows(FILE, rows, where | machine('ultralytics', 'torch'))}")


def accuracy(file: Path, options: SlimOptions) -> float:
    """Returns a checkpoint's mAP50-95 in points."""
    return 100 * slim.measured(file, options).measured[""].accuracy


if __name__ == "__main__":
    main()
