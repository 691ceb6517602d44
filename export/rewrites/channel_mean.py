"""The mean over the channels becomes a convolution, where a convolution reads it beside their maximum.

    Conv(Concat(ReduceMax(x, axes=[1]), ReduceMean(x, axes=[1])), w)
    →  Conv(Concat(ReduceMax(x, axes=[1]), Conv(x, 1 / C, group=2)), w with its second input channel twice)

The means of both halves of the channels instead of one: as a convolution of two groups, ONNX Runtime makes it a product
of matrices on the map as it lies there, six times as fast as its ReduceMean over channels, where one of a single group
would first have the map laid out in blocks, for one channel. Every other run-time has it as one kernel too.
"""

import numpy as np
import onnx_ir as ir

from yolo_attn.export.rewrites import axes_of, constant, initializer, producer, replace, require


def rewrite(node: ir.Node) -> None:
    require(node.op_type == "Conv", f"{node.op_type} is no convolution")
    pooled = producer(node.inputs[0], "Concat")
    require(len(pooled.inputs) == 2 and pooled.attributes.get_int("axis") == 1, f"{pooled.name} joins something else")
    maximum, mean = producer(pooled.inputs[0], "ReduceMax"), producer(pooled.inputs[1], "ReduceMean")
    x = mean.inputs[0]
    assert x is not None
    require(
        x is maximum.inputs[0] and axes_of(maximum) == axes_of(mean) == [1], f"{mean.name} is not over the channels"
    )
    channels = x.shape[1] if x.shape is not None else None
    require(isinstance(channels, int), f"the channels of {x.name} are unknown")
    assert isinstance(channels, int)
    require(channels % 2 == 0, f"{channels} channels have no halves")
    weight = constant(node.inputs[1])
    halves = initializer(mean, "halves", np.full((2, channels // 2, 1, 1), 1 / channels, weight.dtype))
    spatial = initializer(node, "weight", np.concatenate((weight, weight[:, 1:]), axis=1))
    means = ir.node("Conv", [x, halves], {"group": 2, "kernel_shape": [1, 1]}, name=mean.name)
    joined = ir.node("Concat", [pooled.inputs[0], means.outputs[0]], {"axis": 1}, name=pooled.name)
    conv = ir.node("Conv", [joined.outputs[0], spatial, *node.inputs[2:]], dict(node.attributes), name=node.name)
    replace(node, [means, joined, conv])
