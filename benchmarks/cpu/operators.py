"""Times every operator against the form that people paste today: the same mathematics, the same weights.

    python -m benchmarks.cpu.operators          # six maps of a YOLO at 640 pixels, one thread, some minutes
    python -m benchmarks.cpu.operators --all    # every width on every map
    python -m benchmarks.cpu.operators --device cuda --batch 16
    python -m benchmarks.cpu.operators --operators CBAM SE --rounds 40

Three passes: `inference` (evaluation, no gradients), `deployed` (the same with our deploy form, which `model.fuse()`
puts in place) and `training` (training mode, forward and backward, gradients of the input and all parameters). Both
forms take turns; a ratio is that of two neighbours in time, pasted over ours, so above 1 ours is faster. Its median and
quartiles are given. On one CPU thread, time is the process's own processor time: what else runs on the machine costs
little; elsewhere it is wall time. A row is written only after both forms gave the same numbers.

Memory is that of a training step: `saved`, the bytes that autograd keeps for the backward pass (the input included,
parameters and buffers left out), and on CUDA `peak`, the most that was allocated beyond what was there before.

Numbers below 1e-38, which a softmax makes of large distances, count as 0 here (`torch.set_flush_denormal`): a CPU
takes many times as long for them, in either form, which would hide what is compared.

Writes benchmarks/cpu/operators.csv, or operators-cuda.csv, when all operators were timed.

NonLocal is left out above 40×40: its pasted form writes a table of 6400 × 1600 weights for each image at 80×80.
"""

import argparse
import copy
import math
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from benchmarks import arguments
from benchmarks.machine import machine, write_rows
from tests.support.operators import make
from tests.support.pasted import paste
from yolo_attn import registry
from yolo_attn.tolerance import TOLERANCE

FILE = Path(__file__).with_suffix(".csv")
USUAL = [(64, 80), (128, 80), (128, 40), (256, 40), (256, 20), (512, 20)]
ALL = [(channels, size) for size in (80, 40, 20) for channels in (64, 128, 256, 512)]
LARGEST = {"NonLocal": 40}
PASSES = ("inference", "deployed", "training")
SAMPLE = 0.004  # seconds a sample takes at least: as many repetitions as fill it
LEAST = 5  # rounds, however long they take


class Bench:
    """One operator in both forms on one map."""

    def __init__(self, name: str, channels: int, size: int, batch: int, device: torch.device):
        self.ours: Any = make(name, {}, channels).to(device)
        self.pasted = paste(self.ours)
        self.deployed = self.ours.deploy()
        self.x = torch.randn(batch, channels, size, size, device=device)
        self.gradient = torch.randn_like(self.x)
        self.device = device

    def run(self, module: nn.Module, training: bool) -> torch.Tensor:
        """Does one pass and returns the output; a training pass leaves the input's gradient in `x.grad`."""
        if not training:
            with torch.inference_mode():
                return module(self.x)
        self.x.grad = None
        module.zero_grad(set_to_none=True)
        y = module(self.x)
        y.backward(self.gradient)
        return y

    def forms(self, which: str) -> tuple[Callable[[], torch.Tensor], Callable[[], torch.Tensor]]:
        """Returns ours and the pasted form, ready for one pass of a kind."""
        training = which == "training"
        ours = self.deployed if which == "deployed" else self.ours
        self.x.requires_grad_(training)
        for module in (self.ours, self.pasted):
            module.train(training)
        return (lambda: self.run(ours, training)), (lambda: self.run(self.pasted, training))

    def check(self) -> None:
        """Raises AssertionError unless both forms give the same outputs and, in training, the same gradient.

        In float64: a batch norm of the means of two images may divide by next to nothing.
        """
        twin = copy.deepcopy(self)
        for module in (twin.ours, twin.pasted, twin.deployed):
            module.double()
        twin.x, twin.gradient = self.x.detach().double(), self.gradient.double()
        for which in PASSES:
            seen = []
            for form in twin.forms(which):
                y = form().detach()
                seen.append((y, twin.x.grad) if which == "training" else (y,))
            for got, want in zip(*seen, strict=True):
                error = ((got - want).abs().max() / want.abs().max().clamp(min=1)).item()
                # The pasted FcaNet stores its cosines in float32, hence this one.
                assert error <= TOLERANCE["float32"], f"{which}: the forms differ by {error:.1e}"

    def time(self, which: str, rounds: int, seconds: float) -> dict[str, float | int]:
        """Returns medians in milliseconds and the ratio of neighbours in time, with its quartiles."""
        ours, pasted = self.forms(which)
        clock = time.process_time if self.device.type == "cpu" and torch.get_num_threads() == 1 else time.perf_counter

        def sample(form: Callable[[], torch.Tensor], times: int) -> float:
            self.wait()
            start = clock()
            for _ in range(times):
                form()
            self.wait()
            return (clock() - start) / times * 1e3

        for form in (ours, pasted):  # warm: the first pass picks algorithms and takes memory
            form()
        times = max(1, math.ceil(SAMPLE * 1e3 / min(sample(ours, 1), sample(pasted, 1))))
        seen: list[tuple[float, float]] = []
        end = time.perf_counter() + seconds
        while len(seen) < min(LEAST, rounds) or (len(seen) < rounds and time.perf_counter() < end):
            first, second = (ours, pasted) if len(seen) % 2 == 0 else (pasted, ours)
            pair = sample(first, times), sample(second, times)
            seen.append(pair if first is ours else pair[::-1])
        quartiles = statistics.quantiles([b / a for a, b in seen], n=4, method="inclusive")
        return {
            "ours_ms": round(statistics.median(a for a, _ in seen), 4),
            "pasted_ms": round(statistics.median(b for _, b in seen), 4),
            "ratio": round(quartiles[1], 3),
            "ratio_q1": round(quartiles[0], 3),
            "ratio_q3": round(quartiles[2], 3),
            "rounds": len(seen),
        }

    def memory(self) -> dict[str, float]:
        """Returns what a training step takes in both forms, in MiB."""
        columns = {}
        forms = zip(("ours", "pasted"), self.forms("training"), (self.ours, self.pasted), strict=True)
        for name, form, module in forms:
            columns[f"saved_{name}_mib"] = round(saved(form, module) / 2**20, 3)
            if self.device.type == "cuda":
                self.x.grad = None
                module.zero_grad(set_to_none=True)
                torch.cuda.reset_peak_memory_stats(self.device)
                before = torch.cuda.memory_allocated(self.device)
                form()
                peak = torch.cuda.max_memory_allocated(self.device) - before
                columns[f"peak_{name}_mib"] = round(peak / 2**20, 3)
        return columns

    def wait(self) -> None:
        """Waits until the device has done what it was told."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


def saved(step: Callable[[], object], module: nn.Module) -> int:
    """Returns the bytes autograd keeps between forward and backward, each storage once, the module's own left out."""
    own = {tensor.untyped_storage().data_ptr() for tensor in (*module.parameters(), *module.buffers())}
    sizes: dict[int, int] = {}
    kept = []  # so that no storage is freed and its address used again

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept.append(storage)
            sizes[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        step()
    return sum(sizes.values())


def measure(name: str, channels: int, size: int, options: argparse.Namespace) -> list[dict]:
    """Returns the rows of one operator on one map."""
    torch.manual_seed(0)
    bench = Bench(name, channels, size, options.batch, torch.device(options.device))
    bench.check()
    rows = []
    for which in PASSES:
        row = {"operator": name, "channels": channels, "map": size, "batch": options.batch, "pass": which}
        row |= bench.time(which, options.rounds, options.seconds)
        rows.append(row | (bench.memory() if which == "training" else {}))
    return rows


def line(row: dict) -> str:
    """Returns a row as it is printed."""
    where = f"{row['operator']:<18}{row['channels']:>5}@{row['map']} {row['pass']:<10}"
    times = f"{row['ours_ms']:>10.3f}{row['pasted_ms']:>10.3f}{row['ratio']:>7.2f}"
    kept = f"{row['saved_ours_mib']:>9.1f} / {row['saved_pasted_mib']:.1f}" if "saved_ours_mib" in row else ""
    return f"{where}{times}  {row['ratio_q1']:.2f}-{row['ratio_q3']:.2f}{kept}"


def mean_ratio(rows: list[dict]) -> float:
    """Returns the geometric mean of the rows' ratios."""
    return statistics.geometric_mean(row["ratio"] for row in rows)


def summary(rows: list[dict], names: list[str]) -> str:
    """Returns the geometric means by operator and pass, and the slowest row of each operator."""
    lines = [f"{'geometric mean':<18}" + "".join(f"{which:>11}" for which in PASSES) + "   slowest row"]
    for name in [*names, "all"]:
        mine = [row for row in rows if name in ("all", row["operator"])]
        if not mine:
            continue
        low = min(mine, key=lambda row: row["ratio"])
        means = "".join(f"{mean_ratio([row for row in mine if row['pass'] == which]):>11.2f}" for which in PASSES)
        where = f"{low['ratio']:.2f} {low['operator']} {low['channels']}@{low['map']} {low['pass']}"
        lines.append(f"{name:<18}{means}   {where}")
    return "\n".join(lines)


def main() -> None:
    parser = arguments.parser(__doc__)
    parser.add_argument("--operators", nargs="*", default=registry.names())
    parser.add_argument("--all", action="store_true", help="64, 128, 256 and 512 channels, each on 80, 40 and 20")
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=15, help="pairs of samples for a row, at most")
    parser.add_argument("--seconds", type=float, default=1.5, help=f"a row's time, beyond {LEAST} rounds")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.set_flush_denormal(True)

    device = torch.device(options.device)
    where = machine("torch") | {"device": options.device, "threads": options.threads}
    if device.type == "cuda":
        where["device"] = torch.cuda.get_device_name(device)
    names = [registry.get(name).name for name in options.operators]
    print(f"{'operator':<18}{'map':>8} {'pass':<10}{'ours ms':>10}{'pasted':>10}{'ratio':>7}  quartiles   saved MiB")
    rows = []
    for name in names:
        for channels, size in ALL if options.all else USUAL:
            if size > LARGEST.get(name, size):
                continue
            for row in measure(name, channels, size, options):
                rows.append(row)
                print(line(row), flush=True)
    print(f"\n{summary(rows, names)}")
    if names == registry.names():  # no file for a part of them
        written = FILE if device.type == "cpu" else FILE.with_stem(f"operators-{device.type}")
        print(f"pasted time over ours, written to {write_rows(written, rows, where)}")


if __name__ == "__main__":
    main()
