"""What every operator and option keeps to, on the CPU: the checks of `yolo-attn check`, and what ours alone do."""

import numpy as np
import onnx
import pytest
import torch

from tests.support.operators import CASES, FURTHER, IDS, OPTIONS, make
from yolo_attn import models, registry
from yolo_attn.contract import precision, start, suite, tracing
from yolo_attn.contract.broken import Skipped
from yolo_attn.contract.case import Case
from yolo_attn.contract.onnx import compare
from yolo_attn.export.single import exported, rewritten

BUILT = [Case(registry.get(name), options) for name, options in CASES]
every_case = pytest.mark.parametrize("case", BUILT, ids=IDS)
# Compiling takes a second: once for each operator. With its options each meets a third of the checks, in turn.
ALL = [
    pytest.param(check, case, id=f"{title}-{i}", marks=pytest.mark.thorough if case.options and (k + n) % 3 else ())
    for k, (title, check) in enumerate({**suite.CHECKS, **suite.ADVICE}.items())
    for n, (case, i) in enumerate(zip(BUILT, IDS, strict=True))
    if check is not tracing.check_compile or not case.options
]


def test_the_options_are_of_operators_that_there_are():
    assert set(FURTHER) <= set(registry.names())


@pytest.mark.parametrize(("check", "case"), ALL)
def test_it_keeps_to(check, case):
    try:
        check(case)
    except Skipped as why:
        pytest.skip(str(why))


@every_case
@pytest.mark.parametrize("dtype", precision.HALVES, ids=str)
@pytest.mark.parametrize("training", [False, True])
def test_large_numbers_fit_but_where_a_gate_without_a_sigmoid_grows_with_the_map(case, dtype, training):
    without_sigmoid = case.options.get("channel_sigmoid") is False or case.info.name == "LSKA"  # the docstrings say so
    grows = without_sigmoid and dtype == torch.float16
    assert precision.fits(case, dtype, training) != grows


@every_case
def test_after_the_first_step_a_gradient_reaches_every_parameter(case):
    # Two operators' own weights are 0 at first, before a norm's reach anything; SimAM has none but its share.
    steps = {"SRM": 2, "ShuffleAttention": 2, "SimAM": 0}
    assert start.steps_until_all_learn(case, 0.0) == steps.get(case.info.name, 1)


@every_case
@pytest.mark.parametrize(
    ("dynamic", "opset"),
    [(False, 18), (True, 13), *(pytest.param(True, n, marks=pytest.mark.thorough) for n in (18, 20))],
)
def test_nodes(case, dynamic, opset):
    model = compare(case, dynamic, opset)
    ops = {node.op_type for node in model.graph.node}
    assert not ops & {"BatchNormalization", "Expand"}, ops
    if case.info.name in models.OPERATORS:
        # A gate of one channel keeps its shape by a constant Reshape, without which OpenCV's DNN refuses it.
        assert not ops & {"Transpose", "Shape", *(() if case.info.name in ("CBAM", "BAM") else ("Reshape",))}, ops
        pools = [node for node in model.graph.node if node.op_type in ("MaxPool", "AveragePool")]
        windows = [onnx.helper.get_node_attr_value(pool, "kernel_shape") for pool in pools]
        assert all(window[1:] == [1, 1] for window in windows), "a window over the map holds for one size only"


@pytest.mark.parametrize("name", [name for name in OPTIONS if name != "NonLocal"])  # a product of maps, laid out for it
def test_no_whole_map_is_transposed(name):
    model, _ = rewritten(exported(make(name, {}, 256).deploy(), (1, 256, 7, 13), False))
    assert not moved_maps(model, 256 * 7 * 13)


def moved_maps(model: onnx.ModelProto, numel: int) -> list[str]:
    """Returns the names of the Transposes whose tensor has `numel` elements or more."""
    model = onnx.shape_inference.infer_shapes(model)
    sizes = {
        value.name: np.prod([d.dim_value for d in value.type.tensor_type.shape.dim])
        for value in [*model.graph.value_info, *model.graph.input, *model.graph.output]
    }
    return [n.name for n in model.graph.node if n.op_type == "Transpose" and not sizes[n.input[0]] < numel]
