"""The report of an export: layer by layer, what became of the attention in the file and in what runs it."""

import copy
import warnings
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import onnx
import onnxruntime
import torch

from yolo_attn.device.paths import layer_of
from yolo_attn.errors import AttentionError
from yolo_attn.export import plan, rtx, runtime
from yolo_attn.export.single import exported
from yolo_attn.nn import Attention
from yolo_attn.nn.base import operators

HEADS = ("layer", "operator", "nodes as trained", "nodes in the file", "kernels, ONNX Runtime", "share of its time")


def render(
    title: str, file: Path, model: torch.nn.Module, shape: tuple[int, ...], dynamic: bool, engine: bytes | None
) -> str:
    """Returns the report as Markdown: the table, and behind a line of dashes each layer's kernels.

    Args:
        title: The exported file's name.
        file: The ONNX file.
        model: The network as it was trained, before `fuse()`.
        shape: The shape `(N, C, H, W)` it was exported for.
        dynamic: Whether the file takes other shapes, too.
        engine: The TensorRT-RTX engine built from the file; None builds one to look at.
    """
    layers = {name: module for name, module in operators(model).items() if isinstance(module, Attention)}
    described = {name: module.describe() for name, module in layers.items()}
    graph = onnx.load(file, load_external_data=False)
    opset = next(entry.version for entry in graph.opset_import if entry.domain in ("", "ai.onnx"))
    before = trained_nodes(model, layers, shape, dynamic, opset)
    written = by_layer(((node.op_type, (node.name, *node.output)) for node in graph.graph.node), described)
    ran = runtime.kernels(file, shape)
    run = by_layer(((kernel, kernel.names) for kernel in ran), described)
    total = sum(kernel.microseconds for kernel in ran)
    compiled, note = rtx_kernels(file, shape, dynamic, engine)

    lines = [f"| {' | '.join((*HEADS, 'kernels, TensorRT-RTX'))} |", "|---" * (len(HEADS) + 1) + "|"]
    details = []
    for layer, operator in described.items():
        times = sum(kernel.microseconds for kernel in run[layer])
        launched = [kernel for kernel in compiled if any(layer_of(node, {layer: operator}) for node in kernel.nodes)]
        cells = (
            layer, operator, before[layer], len(written[layer]), len(run[layer]), f"{times / total:.1%}",
            len(launched) if compiled else "not measured",
        )  # fmt: skip
        lines.append(f"| {' | '.join(map(str, cells))} |")
        details += [
            f"\n## {layer} {operator}\n",
            f"- nodes in the file: {counted(written[layer])}",
            f"- ONNX Runtime: {counted(kernel.operator for kernel in run[layer])}",
        ]
        if compiled:
            details.append(f"- TensorRT-RTX: {', '.join(launch(kernel, layer) for kernel in launched)}")
    milliseconds = total / 1e3
    lines += [
        f"\nWhole network: {len(graph.graph.node)} nodes; ONNX Runtime {onnxruntime.__version__} runs "
        f"{len(ran)} kernels in {milliseconds:.1f} ms on one thread of this CPU at {'×'.join(map(str, shape))}, as its "
        f"profiler sums them; {note}",
        "\nNodes as trained are those of the operator exported by itself. A kernel counts for each attention layer of "
        "which it computes something; a change of layout counts for the layer whose tensor it is, and one without a "
        "name of the file for none.",
    ]
    return "\n".join([f"# {title}: the attention in it\n", *lines, *details, ""])


def trained_nodes(
    model, layers: dict[str, Attention], shape: tuple[int, ...], dynamic: bool, opset: int
) -> dict[str, int]:
    """Returns how many nodes each operator has when it is exported by itself as it was trained, after onnxslim."""
    shapes: dict[str, torch.Size] = {}

    def remember(name: str):
        return lambda _, args: shapes.update({name: args[0].shape})

    twin = copy.deepcopy(model).float().eval()
    for name in layers:
        twin.get_submodule(name).register_forward_pre_hook(remember(name))
    with torch.inference_mode():
        twin(torch.zeros(shape))
    counts = {}
    for name, module in layers.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of tracing, and that this exporter is the elder
            alone = exported(copy.deepcopy(module).float().eval(), shapes[name], dynamic, opset)
        counts[name] = len(alone.graph.node)
    return counts


def by_layer(named: Iterable[tuple], layers: dict[str, str]) -> dict[str, list]:
    """Returns the things among `named`, pairs of a thing and its names, that belong to each layer."""
    found: dict[str, list] = {layer: [] for layer in layers}
    for thing, names in named:
        if layer := next(filter(None, (layer_of(name, layers) for name in names)), None):
            found[layer].append(thing)
    return found


def rtx_kernels(file: Path, shape, dynamic: bool, engine: bytes | None) -> tuple[list[plan.Kernel], str]:
    """Returns the kernels of the engine, and a note on how they were found; none, and the reason, where there is none.

    Nothing here is an error: the export is done, and this reads what no document describes.
    """
    try:
        version = rtx.tensorrt().__version__
        if not version.startswith(plan.RELEASE):
            return [], f"TensorRT-RTX not measured: plans are read of release {plan.RELEASE}x, this is {version}."
        found = plan.kernels(engine or rtx.build(file, profile=rtx.usual_profile(shape) if dynamic else None))
    except AttentionError as error:
        return [], f"TensorRT-RTX not measured: {error}"
    if not found:
        return [], f"TensorRT-RTX not measured: the plan of {version} does not read as that of {plan.RELEASE}x."
    nameless = sum(not kernel.nodes for kernel in found)
    return found, f"TensorRT-RTX {version} has {len(found)} kernels, {nameless} of them without a node's name."


def launch(kernel: plan.Kernel, layer: str) -> str:
    """Returns a kernel's name, and the layers before and behind that it computes a part of."""
    others = {node.strip("/").split("/")[0] for node in kernel.nodes if not layer_of(node, {layer: ""})}
    name = kernel.name.rpartition("/")[2] if "/" in kernel.name else kernel.name
    return f"{name} (with {', '.join(sorted(others))})" if others else name


def counted(operators: Iterable[str]) -> str:
    """Returns `2 Conv, Mul`."""
    return ", ".join(f"{n} {name}" if n > 1 else name for name, n in Counter(operators).items())
