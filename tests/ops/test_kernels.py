"""Runs the kernels' tests, tests/ops/kernels.py, in a process of their own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from yolo_attn.errors import AttentionError
from yolo_attn.ops import choice


def test_the_kernels(pytestconfig):
    pytest.importorskip("triton")
    environment = dict(os.environ)
    if not torch.cuda.is_available():
        environment["TRITON_INTERPRET"] = "1"
    command = [sys.executable, "-m", "pytest", "-q", "-W", "ignore", "-p", "no:cacheprovider", "tests/ops/kernels.py"]
    command += ["--all"] * pytestconfig.getoption("all")
    folder = Path(__file__).parents[2]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]


def test_operators_load_neither_triton_nor_the_compiler():
    code = "import sys, yolo_attn.nn; sys.exit(bool({'triton', 'torch._dynamo'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_an_unknown_implementation_is_refused():
    with pytest.raises(AttentionError, match="no implementation 'cuda'; set YOLO_ATTN_IMPL to one of: auto, eager, tr"):
        choice.use("cuda")


def test_a_training_on_the_cpu_with_kernels_is_refused_in_one_line(yolo, datasets, tmp_path):
    arguments = ("train", "model=yolov5n-cbam.yaml", "data=shapes.yaml", "imgsz=64", "device=cpu", "plots=False")
    output = yolo(*arguments, cwd=tmp_path, fails=True, YOLO_ATTN_IMPL="triton", TRITON_INTERPRET="1")
    message = "YOLO_ATTN_IMPL=triton trains on CUDA, and this is device=cpu; set YOLO_ATTN_IMPL=eager"
    assert message in output.splitlines()[-1] and "Traceback" not in output


@pytest.mark.skipif(torch.cuda.is_available(), reason="the kernels can run here")
def test_kernels_that_cannot_run_are_refused_in_one_line(tmp_path):
    code = "import torch; from yolo_attn.nn import CBAM; CBAM(32).train()(torch.rand(2, 32, 4, 4))"
    environment = {**os.environ, "YOLO_ATTN_IMPL": "triton", "TRITON_INTERPRET": "0"}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.stderr.splitlines()[-1] == (
        "yolo_attn.errors.AttentionError: YOLO_ATTN_IMPL=triton needs CUDA and the package triton, which are not here; "
        "set YOLO_ATTN_IMPL=eager"
    )
