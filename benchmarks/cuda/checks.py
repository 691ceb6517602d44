"""Holds the kernels to float64, output and every gradient; TRITON_INTERPRET=1 does it without a GPU."""

import copy
from collections.abc import Callable

import torch

from benchmarks.cuda.forms import GAM_PART, WITH_KERNELS, ChannelPart, KernelPart
from tests.support.operators import make
from yolo_attn.ops import choice

BARS = {torch.float32: 1e-5, torch.float16: 1e-3, torch.bfloat16: 5e-3}


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
            if interpreted and dtype == torch.bfloat16 and name == GAM_PART:
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
    if name == GAM_PART:
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
