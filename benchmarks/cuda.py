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

What does not fit into the minutes is named and left out. Writes benchmarks/results/cuda.csv and cuda.png.
"""

import argparse
import contextlib
import copy
import statistics
import time
from collections.abc import Callable, Iterator

import torch
from torch import nn

from benchmarks.bytes import IDEAL, ChannelPart
from benchmarks.machine import RESULTS, machine, write_rows
from tests.support.operators import make
from tests.support.pasted import paste
from yolo_attn.ops import choice

OPERATORS = ("CBAM", "CoordAtt", "GAM channel part", "TripletAttention", "SE", "ECA")
WITH_KERNELS = OPERATORS[:4]
SHAPES = ((128, 80), (256, 40), (512, 20))
ORDER = ((32, "last"), (32, "first"), (64, "last"))  # batch and layout
BARS = {torch.float32: 1e-5, torch.float16: 1e-3, torch.bfloat16: 5e-3}
QUARTILES = [0.5, 0.25, 0.75]
MODELS = ("yolov5s-cbam.yaml", "yolo26s-cbam.yaml")
RESERVED = 90  # seconds kept for the whole models


class KernelPart(nn.Module):
    """GAM's channel part on its kernel."""

    def __init__(self, gate: nn.Module):
        super().__init__()
        self.gate = gate

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        from yolo_attn.ops.triton.gam import gam_channel

        return gam_channel(x, self.gate.parameters(), True, None)


def timm_twin(name: str, channels: int) -> nn.Module | None:
    """Returns timm's module of the same kind, where timm has one; its mathematics may differ a little."""
    try:
        from timm.layers import EcaModule, SEModule
        from timm.layers.cbam import CbamModule
    except ImportError:
        return None
    twins = {"SE": SEModule, "ECA": EcaModule, "CBAM": CbamModule}
    return twins[name](channels) if name in twins else None


def providers(name: str, channels: int) -> dict[str, nn.Module]:
    """Returns the modules to compare, in training, not yet compiled, on the CPU."""
    ours = make("GAM" if name == "GAM channel part" else name, {}, channels).train()
    pasted = paste(ours)
    kernels = copy.deepcopy(ours)
    if name == "GAM channel part":
        pasted, kernels, ours = (
            ChannelPart(pasted, True),
            KernelPart(kernels.channel_attention),
            ChannelPart(ours, False),
        )
    found: dict[str, nn.Module] = {"pasted": pasted, "eager": ours}
    for mode in ("default", "max-autotune-no-cudagraphs"):  # the graph is ours, for every provider alike
        found["compiled" if mode == "default" else "max-autotune"] = compiled(ours, mode)
    if (twin := timm_twin(name, channels)) is not None:
        found["timm compiled"] = compiled(twin.train(), "default")
    if name in WITH_KERNELS:
        found |= {"kernels": kernels, "kernels compiled": compiled(kernels, "default")}
    return found


def compiled(module: nn.Module, mode: str) -> nn.Module:
    return torch.compile(copy.deepcopy(module), mode=mode, fullgraph=True, dynamic=False)  # type: ignore[return-value]


@contextlib.contextmanager
def implementation(provider: str) -> Iterator[None]:
    """Lets the operators run as a provider's name says."""
    choice.use("triton" if provider.startswith("kernels") else "eager")
    try:
        yield
    finally:
        choice.use("eager")


def check(device: torch.device) -> None:
    """Compares the kernels with float64, output and every gradient.

    Raises:
        SystemExit: An error is above its bar.
    """
    interpreted = choice.INTERPRETED
    print(f"{'RMS of the error over RMS, at most':<38}{'float32':>10}{'float16':>10}{'bfloat16':>10}")
    failed = []
    for name in WITH_KERNELS:
        worst = {}
        for dtype, bar in BARS.items():
            if interpreted and dtype == torch.bfloat16 and name.startswith("GAM"):
                continue  # the interpreter multiplies the bits of bfloat16
            worst[dtype] = max(errors(name, dtype, layout, device) for layout in ("first", "last"))
            bar *= 2 if interpreted and dtype == torch.bfloat16 else 1  # there it cuts bits off instead of rounding
            failed += [f"{name} in {dtype}: {worst[dtype]:.1e} is above {bar:.0e}"] if not worst[dtype] <= bar else []
        print(f"{name:<38}" + "".join(f"{worst[d]:>10.1e}" if d in worst else f"{'skipped':>10}" for d in BARS))
    if failed:
        raise SystemExit("\n".join(failed))


def errors(name: str, dtype: torch.dtype, layout: str, device: torch.device) -> float:
    """Returns the largest relative RMS error of a kernel operator: output, gradients of x and of its gates."""
    shape = (2, 16, 6, 10) if choice.INTERPRETED else (4, 132, 13, 17)
    torch.manual_seed(0)
    x, gradient = (torch.randn(shape, device=device, dtype=dtype) for _ in range(2))
    if layout == "last":
        x = x.to(memory_format=torch.channels_last)
    n, c, h, w = shape
    if name == "GAM channel part":
        part = ChannelPart(make("GAM", {}, c), False).to(device, dtype)
        leaves = list(part.gate.parameters())
        exact = copy.deepcopy(part).double()
        want = gradients(exact, x.double(), gradient.double(), list(exact.gate.parameters()))
        got = gradients(KernelPart(part.gate), x, gradient, leaves)
    else:
        sizes = {
            "CBAM": [(n, c, 1, 1), (n, 1, h, w)],
            "CoordAtt": [(n, c, h, 1), (n, c, 1, w)],
            "TripletAttention": [(n, 1, h, w), (n, c, 1, w), (n, c, h, 1)],
        }[name]
        gates = [torch.rand(size, device=device, dtype=dtype) for size in sizes]
        exact_gates = [gate.double().requires_grad_() for gate in gates]
        for gate in gates:
            gate.requires_grad_()
        want = gradients(slow(name, exact_gates), x.double(), gradient.double(), exact_gates)
        got = gradients(fused(name, gates), x, gradient, gates)
    return max(rms(a.double() - b) / rms(b) for a, b in zip(got, want, strict=True))


def rms(x: torch.Tensor) -> float:
    return x.double().square().mean().sqrt().item()


def gradients(
    function: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor, gradient: torch.Tensor, leaves: list
) -> list[torch.Tensor]:
    """Returns the output and the gradients of x and of the leaves."""
    x = x.detach().requires_grad_()
    y = function(x)
    return [y, *torch.autograd.grad(y, [x, *leaves], gradient)]


def slow(name: str, gates: list[torch.Tensor]) -> Callable[[torch.Tensor], torch.Tensor]:
    """Returns an operator whose gates are the given numbers plus its statistics, written out."""

    def cbam(x):
        x = x * (gates[0] + x.mean((2, 3), keepdim=True) + x.flatten(2).max(2, keepdim=True).values.unsqueeze(3) / 8)
        return x * (gates[1] + x.mean(1, keepdim=True) + x.max(1, keepdim=True).values / 8)

    def coordatt(x):
        return x * (gates[0] + x.mean(3, keepdim=True)) * (gates[1] + x.mean(2, keepdim=True))

    def triplet(x):
        return x * sum(
            gate + x.mean(dim, keepdim=True) + x.max(dim, keepdim=True).values / 8
            for dim, gate in enumerate(gates, start=1)
        )

    return {"CBAM": cbam, "CoordAtt": coordatt, "TripletAttention": triplet}[name]


def fused(name: str, gates: list[torch.Tensor]) -> Callable[[torch.Tensor], torch.Tensor]:
    """Returns the same on the kernels."""
    from yolo_attn.ops.triton.cbam import cbam
    from yolo_attn.ops.triton.coordatt import coordatt
    from yolo_attn.ops.triton.triplet import triplet

    def gate(i: int):
        return lambda mean, maximum: gates[i] + mean + maximum / 8

    return {
        "CBAM": lambda x: cbam(x, gate(0), gate(1)),
        "CoordAtt": lambda x: coordatt(x, lambda rows, columns: (gates[0] + rows, gates[1] + columns), None),
        "TripletAttention": lambda x: triplet(x, lambda planes: [gate(i)(*planes[i]) for i in range(3)]),
    }[name]


class Step:
    """One pass of a module on a map: forward alone, or forward and backward."""

    def __init__(self, module: nn.Module, x: torch.Tensor, gradient: torch.Tensor, backward: bool):
        self.module, self.gradient, self.backward = module, gradient, backward
        self.x = x.detach().requires_grad_(backward)
        self.leaves = [self.x, *module.parameters()]

    def __call__(self) -> None:
        with torch.set_grad_enabled(self.backward), torch.autocast("cuda", torch.bfloat16, cache_enabled=False):
            y = self.module(self.x)
        if self.backward:
            y.backward(self.gradient)

    def forget(self) -> None:
        for leaf in self.leaves:
            leaf.grad = None

    def warm(self) -> None:
        """Compiles and picks algorithms, on the stream that a capture wants."""
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(4):
                self.forget()
                self()
        torch.cuda.current_stream().wait_stream(stream)
        self.forget()

    def measure(self) -> dict[str, float | int]:
        """Returns device and wall time in milliseconds, peak memory in MiB and the number of kernels."""
        from torch.profiler import ProfilerActivity, profile
        from triton.testing import do_bench

        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        self()
        peak = torch.cuda.max_memory_allocated() - before
        self.forget()
        wall = do_bench(self, warmup=5, rep=30, grad_to_none=self.leaves, quantiles=[0.5])
        with profile(activities=[ProfilerActivity.CUDA]) as seen:
            self()
            torch.cuda.synchronize()
        launches = sum("Memcpy" not in event.name for event in seen.events())
        self.forget()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self()
        median, low, high = do_bench(graph.replay, warmup=5, rep=40, quantiles=QUARTILES)
        self.forget()
        return {
            "device_ms": round(median, 5), "device_q1": round(low, 5), "device_q3": round(high, 5),
            "wall_ms": round(wall if isinstance(wall, float) else wall[0], 5),
            "peak_mib": round(peak / 2**20, 2), "launches": launches,
        }  # fmt: skip


def copy_speed(x: torch.Tensor) -> float:
    """Returns the bytes a millisecond that a copy of x moves, read and written, measured as the steps are."""
    from triton.testing import do_bench

    y = torch.empty_like(x)
    return 2 * x.nbytes / do_bench(lambda: y.copy_(x), warmup=10, rep=60, quantiles=[0.5])


def rows_of(name: str, channels: int, size: int, batch: int, layout: str, device: torch.device) -> list[dict]:
    """Returns the rows of one operator on one map: every provider, both passes."""
    torch.manual_seed(0)
    torch._dynamo.reset()
    form = torch.channels_last if layout == "last" else torch.contiguous_format
    x, gradient = (
        torch.randn(batch, channels, size, size, device=device, dtype=torch.bfloat16).to(memory_format=form)
        for _ in range(2)
    )
    steps = {
        (provider, backward): Step(module.to(device), x, gradient, backward)
        for provider, module in providers(name, channels).items()
        for backward in (False, True)
    }
    for (provider, _), step in steps.items():
        with implementation(provider):
            step.warm()
    speed, rows = copy_speed(x), []
    for (provider, backward), step in steps.items():
        with implementation(provider):
            measured = step.measure()
        passes = IDEAL[name][0] + (IDEAL[name][1] if backward else 0)
        share = passes * x.nbytes / speed / measured["device_ms"]
        row = {"operator": name, "channels": channels, "map": size, "batch": batch, "layout": layout}
        row |= {"pass": "training" if backward else "forward", "provider": provider, **measured}
        rows.append(row | {"share": round(share, 3), "copy_gb_s": round(speed / 1e6, 1)})
    return rows


def model_rows(model: str, device: torch.device, rounds: int = 20) -> list[dict]:
    """Returns the time of a real training step of a model without and with the kernels, taken in turns."""
    twins = {}
    for name in ("eager", "kernels"):
        with implementation(name):
            twins[name] = training_step(model, device, imgsz=640, batch=16)
            for _ in range(5):
                twins[name]()
    seen: dict[str, list[float]] = {name: [] for name in twins}
    for i in range(rounds):
        for name in list(twins)[:: 1 if i % 2 else -1]:
            with implementation(name):
                start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
                torch.cuda.synchronize()
                start.record()
                twins[name]()
                end.record()
                torch.cuda.synchronize()
                seen[name].append(start.elapsed_time(end))
    return [
        {"operator": model, "batch": 16, "layout": "last", "pass": "step", "provider": name,
         "wall_ms": round(statistics.median(times), 3)}
        for name, times in seen.items()
    ]  # fmt: skip


def training_step(model: str, device: torch.device, imgsz: int, batch: int) -> Callable[[], float]:
    """Returns a function that trains a model of Ultralytics by one step, as its trainer does, and gives the loss."""
    from ultralytics import YOLO
    from ultralytics.cfg import get_cfg

    torch.manual_seed(0)
    net = YOLO(model).model.to(device, memory_format=torch.channels_last).train()
    net.args = get_cfg()
    for parameter in net.parameters():
        parameter.requires_grad_(parameter.is_floating_point())
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-3, momentum=0.9, nesterov=True)
    on_gpu = device.type == "cuda"
    scaler = torch.amp.GradScaler(device.type, enabled=on_gpu)
    boxes = 8 * batch
    data = {
        "img": torch.rand(batch, 3, imgsz, imgsz, device=device).contiguous(memory_format=torch.channels_last),
        "cls": torch.randint(0, 80, (boxes, 1), device=device).float(),
        "bboxes": torch.rand(boxes, 4, device=device) * 0.3 + 0.3,
        "batch_idx": torch.arange(batch, device=device).repeat_interleave(8).float(),
    }

    def step() -> float:
        with torch.autocast(device.type, enabled=on_gpu):
            loss = net(data)[0].sum()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad(set_to_none=True)
        return loss.detach()

    return step


def line(row: dict) -> str:
    """Returns a row as it is printed."""
    where = f"{row['operator']} {row['channels']}@{row['map']}" if "map" in row else row["operator"]
    text = f"{where:<26}{row['batch']:>4} {row['layout']:<6}{row['pass']:<9}{row['provider']:<17}"
    if "device_ms" not in row:
        return f"{text}{'':>10}{row['wall_ms']:>10.3f}"
    text += f"{row['device_ms']:>10.4f}{row['wall_ms']:>10.4f}{row['peak_mib']:>9.1f}{row['launches']:>9}"
    return f"{text}{row['share']:>8.0%}"


COLUMNS = f"{'device':>10}{'wall':>10}{'MiB':>9}{'launches':>9}{'share':>8}"
HEAD = f"{'':<26}{'N':>4} {'layout':<6}{'pass':<9}{'provider':<17}{COLUMNS}"


def summary(rows: list[dict]) -> list[str]:
    """Returns geometric means over the maps: how much faster the best of ours trains than the others, and its share."""
    head = f"{'over pasted':>12}{'over eager':>12}{'max-autotune':>13}{'share':>7}"
    lines = [f"{'training, N = 32':<28}{'layout':<7}{head}"]
    for name in OPERATORS:
        for layout in ("first", "last"):
            found: dict[str, dict] = {}
            for row in rows:
                key = row["operator"], row["layout"], row["batch"], row["pass"]
                if key == (name, layout, 32, "training"):
                    found.setdefault(row["provider"], {})[row["map"]] = row
            best = "kernels" if name in WITH_KERNELS else "compiled"
            if best not in found:
                continue
            ours = found[best]
            ratios = [
                statistics.geometric_mean(found[other][m]["device_ms"] / ours[m]["device_ms"] for m in ours)
                for other in ("pasted", "eager", "max-autotune")
            ]
            share = statistics.geometric_mean(row["share"] for row in ours.values())
            text = f"{ratios[0]:>11.2f}×{ratios[1]:>11.2f}×{ratios[2]:>12.2f}×{share:>7.0%}"
            lines.append(f"{f'{name}, {best}':<28}{layout:<7}{text}")
    return lines


def draw(rows: list[dict]) -> None:
    """Draws each provider's training time over that of the ideal passes, one panel an operator."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    kept = [row for row in rows if row["batch"] == 32 and row["layout"] == "last" and row["pass"] == "training"]
    names = [name for name in OPERATORS if any(row["operator"] == name for row in kept)]
    figure, panels = pyplot.subplots(1, len(names), figsize=(3 * len(names), 3.6), layout="constrained", squeeze=False)
    for name, axes in zip(names, panels[0], strict=True):
        mine = [row for row in kept if row["operator"] == name]
        found = list(dict.fromkeys(row["provider"] for row in mine))
        means = [statistics.geometric_mean(1 / row["share"] for row in mine if row["provider"] == p) for p in found]
        axes.barh(found[::-1], means[::-1])
        axes.axvline(1, color="black", lw=0.8)
        axes.set_title(name)
    figure.supxlabel(
        "device time of forward and backward over the ideal passes at a copy's speed, N = 32, channels last"
    )
    figure.savefig(RESULTS / "cuda.png", dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--operators", nargs="*", default=OPERATORS, choices=OPERATORS)
    parser.add_argument("--minutes", type=float, default=7.5)
    parser.add_argument("--check", action="store_true", help="compare with float64 and time nothing")
    options = parser.parse_args()
    end = time.monotonic() + options.minutes * 60
    if not torch.cuda.is_available() and not (options.check and choice.INTERPRETED):
        raise SystemExit(
            "benchmarks.cuda needs an NVIDIA GPU; TRITON_INTERPRET=1 python -m benchmarks.cuda --check runs the checks"
        )
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    check(device)
    if options.check:
        return

    rows, left_out = [], []
    print(HEAD)
    for batch, layout in ORDER:
        for name in options.operators:
            for channels, size in SHAPES:
                if time.monotonic() > end - RESERVED:
                    left_out.append(f"{name} {channels}@{size} N={batch} {layout}")
                    continue
                for row in rows_of(name, channels, size, batch, layout, device):
                    rows.append(row)
                    print(line(row), flush=True)
    for model in MODELS:
        rows += model_rows(model, device)
    where = machine("torch", "triton", "ultralytics") | {"gpu": torch.cuda.get_device_name(device)}
    where |= {"cuda": torch.version.cuda or "", "driver": driver()}
    columns = list(dict.fromkeys(key for row in rows for key in row))
    file = write_rows("cuda", [{key: row.get(key, "") for key in columns} | where for row in rows])
    draw(rows)
    if left_out:
        print(f"\nno time was left for: {', '.join(left_out)}")
    print("\n".join(["", HEAD, *(line(row) for row in rows if row["pass"] != "forward"), "", *summary(rows)]))
    print(f"\nwritten to {file} and cuda.png")


def driver() -> str:
    """Returns the version of the NVIDIA driver."""
    import subprocess

    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    return subprocess.run(command, capture_output=True, text=True).stdout.split("\n")[0].strip()


if __name__ == "__main__":
    main()
