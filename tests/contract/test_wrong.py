"""Operators that are wrong in one way each: the check of that way says so, with its mend; what is right passes."""

from pathlib import Path

import pytest

from yolo_attn.contract import subject, suite
from yolo_attn.contract.case import Case

FILES = [Path(__file__).parent.parent / "support" / f"{name}.py" for name in ("wrong_operators", "wrong_gates")]
ONNX, ONNX_DYNAMIC, ONNX_IDENTITY = "ONNX", "ONNX dynamic", "ONNX, identity"

# The operator, the mend, and every check that fails: the first is the one that the operator was written for.
WRONG = {
    "Halves": ("take H and W from x.shape", ["odd map"]),
    "OfOneSize": ("take H and W from x.shape", ["odd map"]),
    "WritesIntoItsInput": ("write x * gate, not x.mul_(gate)", ["input"]),
    "DropsOut": ("F.dropout needs training=self.training", ["repeatable"]),
    "Squeezes": ("write squeeze(dim) for squeeze()", ["strips", "one pixel", ONNX_DYNAMIC]),
    "Spreads": ("std needs unbiased=False", ["one pixel"]),
    "NormsOnePixel": ("take yolo_attn.nn.layers.BatchNorm2d", ["batch of one"]),
    "Groups": ("raise a ValueError such as 'Groups cannot halve 8 channels", ["channels", "one pixel"]),
    "Views": ("write reshape for view", ["channels last", "compile=True"]),
    "SeesTheBatch": ("never over dim 0", ["per image"]),
    "Unused": ("use it in forward", ["gradients arrive", "training", "identity trains"]),
    "Roots": ("add an eps within", ["gradients arrive", "large numbers"]),
    "WrongSlope": ("backward is the derivative of its forward", ["gradients"]),
    "Float32": ("dtype=x.dtype", ["precision", "mixed precision", "large numbers", "identity"]),
    "Overflows": ("sum, square and exponentiate in float32", ["large numbers"]),
    "StaysBehind": ("self.register_buffer(", ["devices", "deterministic"]),
    "Activates": ("keep in-place activations off x", ["in place"]),
    "HandsOn": ("return a new tensor", ["own output"]),
    "KeepsItsGate": ("keep no result of forward as an attribute", ["copies"]),
    "Lambda": ("no lambda on self", ["pickle"]),
    "Forgets": ("is a parameter or a buffer", ["state dict"]),
    "NoSigmoid": ("compute what forward does", ["deploy form", "identity deploys"]),
    "Unfolded": ("fold(conv, norm)", ["deploy folds"]),
    "Shared": ("deploy() works on copy.deepcopy(self)", ["deploy copies"]),
    "Early": ("call super().__init__(channels) before", ["channels' type"]),
    "Unkept": ("keep every option of the constructor", ["description"]),
    "Adds": ("a gate is a factor of x", ["gate", "identity", "identity trains", "identity deploys"]),
    "Branches": ("torch.where", ["torch.export", ONNX, ONNX_DYNAMIC, ONNX_IDENTITY, "compile=True"]),
    "Pools": ("mean((2, 3)) and amax for adaptive pooling", [ONNX, ONNX_DYNAMIC, ONNX_IDENTITY, "deterministic"]),
    "PerChannel": ("keep it as a vector", ["optimizer"]),
}


def cases() -> dict[str, Case]:
    """Returns the operators of the files by name."""
    return {case.info.name: case for file in FILES for case in subject.cases(str(file), 16, {})}


def found(name: str) -> dict[str, suite.Line]:
    """Returns the lines of what is broken in one operator, by the check's name."""
    return {line.name: line for line in suite.run(cases()[name]) if line.mark in (suite.BROKEN, suite.NOTE)}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.thorough if i % 3 else ()) for i, name in enumerate(WRONG)]
)
def test_it_is_said_what_is_wrong_and_the_mend(name):
    mend, broken = WRONG[name]
    lines = found(name)
    assert set(lines) == set(broken)
    assert mend in lines[broken[0]].text and "\n" not in lines[broken[0]].text
    assert all((line.mark == suite.NOTE) == (check in suite.ADVICE) for check, line in lines.items())


@pytest.mark.parametrize("name", ["Right", "RightGate"])
def test_what_is_right_passes(name):
    assert not found(name)


def test_the_files_have_no_other():
    assert set(cases()) == {*WRONG, "Right", "RightGate"}
