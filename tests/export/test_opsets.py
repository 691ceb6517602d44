"""Every operator's graph in every opset that torch writes it in: valid, and with the operator's values.

Each run takes a sample, `pytest --all` all opsets, static and dynamic.
"""

import onnx
import pytest
import torch

from tests.support.operators import OPTIONS, images, make
from yolo_attn.export.parity import error, runner
from yolo_attn.export.single import exported, rewritten
from yolo_attn.tolerance import TOLERANCE

OPSETS = range(9, 21)
CASES = [(name, opset, dynamic) for name in OPTIONS for opset in OPSETS for dynamic in (False, True)]
SAMPLE = [(name, opset, opset % 2 == i % 2) for i, name in enumerate(OPTIONS) for opset in (9, 12, 13, 17, 20)]


def pytest_generate_tests(metafunc):
    cases = CASES if metafunc.config.getoption("--all") else SAMPLE
    metafunc.parametrize(("name", "opset", "dynamic"), cases)


def test_the_graph_is_valid_and_has_the_values(name, opset, dynamic):
    module = make(name, {}).deploy()
    try:
        plain = exported(module, images().shape, dynamic, opset)
    except torch.onnx.errors.OnnxExporterError as error_:
        pytest.skip(f"torch cannot write it: {error_}")
    model, _ = rewritten(plain)
    assert [entry.version for entry in model.opset_import if not entry.domain] == [opset]
    onnx.checker.check_model(model, full_check=True)
    for size in [(7, 13), (20, 20)] if dynamic else [(7, 13)]:
        x = images(size=size)
        assert error(runner(model)(x)[0], module(x).detach().numpy()) <= TOLERANCE["float32"]
