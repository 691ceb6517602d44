"""Adding an operator is what CONTRIBUTING says: one file, one line in `nn/__init__.py`, one formula."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
FILE = '''
"""Toy, an operator that a test adds."""

from typing import ClassVar

import torch
from torch import nn

from yolo_attn.nn.base import Attention
from yolo_attn.nn.info import AttentionInfo
from yolo_attn.ops.reduce import mean


class Toy(Attention):
    """x times the sigmoid of w times each channel's mean, plus b."""

    gates: ClassVar = ("channel_attention",)

    def __init__(self, channels: int, bias: bool = True):
        super().__init__(channels)
        self.bias = bias
        self.scale = nn.Conv2d(channels, channels, 1, groups=channels, bias=bias)

    def channel_attention(self, x: torch.Tensor) -> torch.Tensor:
        return self.scale(mean(x, (2, 3), self.training)).sigmoid()

    def deploy_gates(self) -> list[nn.Module]:
        return [nn.Sequential(nn.AdaptiveAvgPool2d(1), self.scale, nn.Sigmoid())]


INFO = AttentionInfo(
    name="Toy",
    cls=Toy,
    kind="channel",
    title="a gate that a test makes up",
    paper="",
    year=2026,
    positional=(),
    aliases=("ToyAttention",),
)
'''
LINE = "from yolo_attn.nn.toy import Toy as Toy\n"
FORMULA = """
import numpy as np
from tests.support.operators import images, make

x, toy = images(), make("Toy", {})
weight, bias = (value.detach().double().numpy().reshape(-1, 1, 1) for value in toy.scale.parameters())
gate = 1 / (1 + np.exp(-weight * x.double().numpy().mean((2, 3), keepdims=True) - bias))
assert np.allclose(toy(x).detach().numpy(), x.numpy() * gate, atol=1e-6)
"""
MODEL = """
from ultralytics import YOLO
import yolo_attn

assert "Toy" in yolo_attn.names() and "`Toy`" in yolo_attn.table()
for name in ("yolov8n-toy-P5", "yolov8n-toyattention-in-neck"):
    assert any(type(module).__name__ == "Toy" for module in YOLO(f"{name}.yaml").model.modules()), name
"""


def test_an_operator_is_one_file_one_line_and_one_formula(tmp_path):
    for name in ("yolo_attn", "tests", "benchmarks"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "results"))
    for name in ("models", "data", "export"):
        shutil.copytree(ROOT / name, tmp_path / "yolo_attn" / name, ignore=shutil.ignore_patterns("__pycache__"))

    (tmp_path / "yolo_attn" / "nn" / "toy.py").write_text(FILE)
    listed = tmp_path / "yolo_attn" / "nn" / "__init__.py"
    last = "import NonLocal as NonLocal\n"
    listed.write_text(listed.read_text().replace(last, last + LINE))

    measured = ("COV_", "COVERAGE_")  # the copy's lines are not the package's
    environment = {name: value for name, value in os.environ.items() if not name.startswith(measured)}
    environment["PYTHONPATH"] = str(tmp_path)
    contract = ["-m", "pytest", "-p", "no:cacheprovider", "tests/nn/test_contract.py", "-k", "Toy"]
    for words in (["-c", FORMULA], ["-c", MODEL], contract):
        done = subprocess.run([sys.executable, *words], cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert " passed" in done.stdout
