"""Maximum and mean over the channels, joined for a spatial gate, are pooled with the channels as a map's depth.

    Concat(ReduceMax(x, axes=[1]), ReduceMean(x, axes=[1]))
    →  Squeeze(Concat(MaxPool3d(Unsqueeze(x, 1)), Conv3d(Unsqueeze(x, 2), 1 / C)), 2)

ONNX Runtime's reductions over channels go through the map pixel by pixel. A pooling takes whole lines instead, four
times as fast, as long as its window is at most 32 long: a longer one is split into several. The mean as a convolution
is a product of matrices on the map as it lies there, six times as fast; in two dimensions it would have the map laid
out in blocks first. Adding and dropping an axis moves nothing.
"""

import numpy as np
import onnx_ir as ir

from yolo_attn.export.rewrites import axes_of, initializer, producer, rank, replace, require

WINDOW = 32  # MLAS, ONNX Runtime's library, has vector code up to there


def rewrite(node: ir.Node) -> None:
    require(node.op_type == "Concat" and node.attributes.get_int("axis") == 1, f"{node.name} joins no channels")
    require(len(node.inputs) == 2, f"{node.name} joins something else")
    maximum, mean = producer(node.inputs[0], "ReduceMax"), producer(node.inputs[1], "ReduceMean")
    x = mean.inputs[0]
    require(rank(x) == 4 and x is maximum.inputs[0], f"{node.name} joins two maps")
    require(axes_of(maximum) == axes_of(mean) == [1], f"{mean.name} is not over the channels")
    assert x is not None and x.shape is not None
    channels = x.shape[1]
    require(isinstance(channels, int) and x.dtype, f"the channels of {x.name} are unknown")
    assert isinstance(channels, int) and x.dtype is not None

    axes = [initializer(node, f"axis{axis}", np.array([axis], np.int64)) for axis in (1, 2)]
    share = initializer(node, "share", np.full((1, channels, 1, 1, 1), 1 / channels, x.dtype.numpy()))
    pools = [ir.node("Unsqueeze", [x, axes[0]], name=f"{maximum.name}/depth")]
    for window in windows(channels):
        shape = {"kernel_shape": [window, 1, 1], "strides": [window, 1, 1]}
        pools.append(ir.node("MaxPool", pools[-1].outputs, shape, name=f"{maximum.name}/{len(pools)}"))
    lone = ir.node("Unsqueeze", [x, axes[1]], name=f"{mean.name}/lone")
    average = ir.node("Conv", [lone.outputs[0], share], {"kernel_shape": [1, 1, 1]}, name=mean.name)
    joined = ir.node("Concat", [pools[-1].outputs[0], average.outputs[0]], {"axis": 1}, name=node.name)
    flat = ir.node("Squeeze", [joined.outputs[0], axes[1]], name=f"{node.name}/flat")
    replace(node, [*pools, lone, average, joined, flat])


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
    return found
