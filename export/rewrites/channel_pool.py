"""Maximum and mean over the channels, joined for a spatial gate, are pooled with the channels as the map's depth.

    Concat(ReduceMax(x, axes=[1]), ReduceMean(x, axes=[1]))
    →  Squeeze(Concat(MaxPool(Unsqueeze(x, 1)), AveragePool(Unsqueeze(x, 1))), 2)

ONNX Runtime's reductions over channels go through the map pixel by pixel, its poolings line by line: four times as
fast, as long as a window is at most 32 long. Longer ones are split. Adding and dropping an axis moves nothing.
"""

import onnx_ir as ir

from yolo_attn.export.rewrites import along, axes_of, producer, rank, replace, require

WINDOW = 32  # up to there MLAS, ONNX Runtime's library, has vector code


def rewrite(node: ir.Node) -> None:
    require(node.op_type == "Concat" and node.attributes.get_int("axis") == 1, f"{node.name} joins no channels")
    require(len(node.inputs) == 2, f"{node.name} joins something else")
    maximum, mean = producer(node.inputs[0], "ReduceMax"), producer(node.inputs[1], "ReduceMean")
    x = mean.inputs[0]
    require(rank(x) == 4 and x is maximum.inputs[0], f"{node.name} joins two maps")
    require(axes_of(maximum) == axes_of(mean) == [1], f"{mean.name} is not over the channels")
    assert x is not None and x.shape is not None
    channels = x.shape[1]
    require(isinstance(channels, int), f"the channels of {x.name} are unknown")
    assert isinstance(channels, int)

    deep = along(node, "Unsqueeze", x, 1, f"{node.name}/deep")
    maxima = pooling(deep, channels, "MaxPool", maximum.name)
    means = pooling(deep, channels, "AveragePool", mean.name)
    joined = ir.node("Concat", [maxima[-1].outputs[0], means[-1].outputs[0]], {"axis": 1}, name=node.name)
    flat = along(node, "Squeeze", joined.outputs[0], 2, f"{node.name}/flat")
    replace(node, [deep, *maxima, *means, joined, flat])


def pooling(deep: ir.Node, channels: int, operator: str, name: str | None) -> list[ir.Node]:
    """Returns poolings, one after another, of the map that `deep` gives, `(N, 1, C, H, W)` → `(N, 1, 1, H, W)`."""
    nodes = [deep]
    for window in windows(channels):
        shape = {"kernel_shape": [window, 1, 1], "strides": [window, 1, 1]}
        nodes.append(ir.node(operator, nodes[-1].outputs, shape, name=f"{name}/{len(nodes)}"))
    return nodes[1:]


def windows(channels: int) -> list[int]:
    """Returns the lengths of poolings, one after another, that pool so many channels to one.

    Raises:
        NoMatch: The channels do not divide into short windows.
    """
    found: list[int] = []
    while channels > 1:
        window = max(divisor for divisor in range(1, WINDOW + 1) if channels % divisor == 0)
        require(window > 1, f"{channels} channels do not divide into windows of at most {WINDOW}")
        found.append(window)
        channels //= window
    require(found, "a single channel needs no pooling")
    return found
