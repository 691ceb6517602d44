"""Times one operator on one map: every provider, forward alone and a training step, warm before the first is timed."""

import torch
from torch import nn

from benchmarks.cuda.bytes import IDEAL
from benchmarks.cuda.forms import implementation, providers

QUARTILES = [0.5, 0.25, 0.75]


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
