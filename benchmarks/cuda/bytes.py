"""Counts the bytes that every operator moves through memory in a training step, forward and backward. No GPU is needed.

    python -m benchmarks.cuda.bytes                     # all operators, some minutes: compiling takes most of it
    python -m benchmarks.cuda.bytes --operators CBAM SE

Three forms: the one that people paste, eager; ours, eager; ours under `torch.compile`, in channels first and last. The
unit is S, one pass over the map x: a copy moves 2 S. Eager counts, for every ATen operation but views, the memory of
its tensors, each once for reading or writing. Compiled is Inductor's own count of the buffers its kernels read and
write, on its CPU schedule: CUDA may fuse a little otherwise. Neither knows of caches. `ideal` is reasoned on paper in
benchmarks/cuda/notes.md, for the operators whose cost is the map and not convolutions.

Writes benchmarks/cuda/bytes.md when all operators were counted.
"""

import copy
import functools
from collections.abc import Callable
from pathlib import Path

import torch
from functorch.compile import make_boxed_func
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from benchmarks import arguments
from benchmarks.cuda.forms import GAM_PART, forms
from benchmarks.machine import machine
from yolo_attn import registry

FILE = Path(__file__).with_suffix(".md")
BATCH, CHANNELS, SIZE = 2, 128, 40
IDEAL = {"SE": (3, 4), "ECA": (3, 4), "CBAM": (4, 5), "CoordAtt": (3, 4), "TripletAttention": (3, 4)}
IDEAL |= {GAM_PART: (2.25, 3.25), "SRM": (3, 4), "GCT": (3, 4), "FcaNet": (3, 4)}


class ByteCounter(TorchDispatchMode):
    """Adds up the memory that ATen operations read and write while it is active."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        if not function.is_view and function not in FREE:
            if function in SCATTERS:  # in place, and of the map it touches what the index names
                moved = args[2:]
            else:
                moved = args if function is aten.copy_.default else (args, kwargs, result)
            self.bytes += sum(memory(leaf) for leaf in tree_leaves(moved) if isinstance(leaf, torch.Tensor))
        return result


aten = torch.ops.aten
FREE = {
    *(aten.empty.memory_format, aten.empty_like.default, aten.new_empty_strided.default),
    *(aten.detach.default, aten._unsafe_view.default),
}
SCATTERS = {aten.scatter_.src, aten.scatter.src}  # autograd's own is in place, except under a dispatch mode


def memory(tensor: torch.Tensor) -> int:
    """Returns the bytes that the tensor's elements take; an expanded one is read from where it is small."""
    sizes = [size for size, stride in zip(tensor.shape, tensor.stride(), strict=True) if stride]
    return torch.Size(sizes).numel() * tensor.element_size()


def step(module: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """Does the forward pass of a training step, from an input that wants a gradient."""
    return module(x.detach().requires_grad_())


def eager(module: nn.Module, x: torch.Tensor) -> tuple[int, int]:
    """Returns the bytes of the forward and of the backward pass."""
    with ByteCounter() as forward:
        y = step(module, x)
    gradient = torch.ones_like(y)
    with ByteCounter() as backward:
        y.backward(gradient)
    return forward.bytes, backward.bytes


def compiled(module: nn.Module, x: torch.Tensor) -> tuple[int, int]:
    """Returns the bytes of both passes as Inductor counts them: lowered, fused and scheduled, but no code written."""
    from torch._inductor import compile_fx as inductor
    from torch._inductor import config
    from torch._inductor.graph import GraphLowering
    from torch._inductor.virtualized import V

    counted = []

    def count_only(graph_module, inputs, is_backward=False, **_):
        inductor.view_to_reshape(graph_module)
        with torch.no_grad():
            fake_mode = inductor.fake_tensor_prop(graph_module, inputs)
        inductor._recursive_record_original_output_strides(graph_module)
        with V.set_fake_mode(fake_mode):
            inductor._recursive_post_grad_passes(graph_module)
        graph = GraphLowering(graph_module, example_inputs=inputs, is_backward=is_backward)
        debug = V.set_debug_handler(inductor.DebugContext())  # the scheduler asks for one
        with V.set_graph_handler(graph), V.set_fake_mode(fake_mode), debug:
            graph.run(*inputs)
            graph._update_scheduler()
            counted.append(graph.count_bytes()[0])
        return make_boxed_func(graph_module.forward)

    torch._dynamo.reset()
    backend = functools.partial(inductor.compile_fx, inner_compile=count_only)
    with config.patch(layout_optimization=False):  # which would copy x for the sake of one small convolution
        y = step(torch.compile(copy.deepcopy(module), fullgraph=True, backend=backend), x)
        y.backward(torch.ones_like(y))
    forward, backward = counted
    return forward, backward


def count(name: str) -> dict[str, tuple[float, float] | None]:
    """Returns an operator's passes over the map, forward and backward, in each form."""
    x = torch.randn(BATCH, CHANNELS, SIZE, SIZE)
    last = x.to(memory_format=torch.channels_last)
    pasted, ours = forms(name, CHANNELS)
    ways: dict[str, Callable[[], tuple[int, int]]] = {
        "pasted": lambda: eager(pasted, x),
        "ours": lambda: eager(ours, x),
        "ours, channels last": lambda: eager(ours, last),
        "compiled": lambda: compiled(ours, x),
        "compiled, channels last": lambda: compiled(ours, last),
    }
    passes = {way: tuple(value / x.nbytes for value in function()) for way, function in ways.items()}
    return passes | {"ideal": IDEAL.get(name)}  # type: ignore[dict-item]


def cell(passes: tuple[float, float] | None) -> str:
    """Returns `forward + backward = sum`."""
    return "" if passes is None else f"{passes[0]:.1f} + {passes[1]:.1f} = **{sum(passes):.1f}**"


def main() -> None:
    parser = arguments.parser(__doc__)
    names = [*registry.names(), GAM_PART]
    parser.add_argument("--operators", nargs="*", default=names)
    asked = parser.parse_args().operators
    lines = []
    for name in asked:
        row = count(name)
        if not lines:
            lines += ["| operator | " + " | ".join(row) + " |", "|---" * (len(row) + 1) + "|"]
            print("\n".join(lines))
        lines.append(f"| {name} | " + " | ".join(map(cell, row.values())) + " |")
        print(lines[-1], flush=True)
    if asked == names:
        where = ", ".join(f"{key} {value}" for key, value in machine("torch").items())
        about = (
            f"Passes over the map in a training step, forward + backward, {CHANNELS} channels of {SIZE}×{SIZE}, batch "
            f"{BATCH}, float32. Counted by `python -m benchmarks.cuda.bytes`, not timed; the file says how. {where}."
        )
        FILE.write_text("\n".join(["# Bytes", "", about, "", *lines, ""]), encoding="utf-8")
        print(f"written to {FILE}")


if __name__ == "__main__":
    main()
