"""`yolo-attn doctor` in real environments, in order and out of order."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.support.environments import create_environment, see_running_packages
from yolo_attn import __version__, boot, doctor, upstream
from yolo_attn.upstream import version

BIN = Path(sys.executable).parent
NAMES = ["yolo_attn", "python", "torch", "ultralytics", "opencv", "onnx", "onnxruntime", "onnxslim", "YOLO_ATTN"]
NAMES += ["start-up hook", "patches", "yolo", "onnxruntime with", "torch devices"]


def run(*args: str, **env: str) -> tuple[int, str, str]:
    """Runs `yolo-attn` of the running environment, first in PATH; returns its exit status, output and errors."""
    variables = {k: v for k, v in os.environ.items() if k != "YOLO_ATTN"}
    variables["PATH"] = f"{BIN}{os.pathsep}{variables['PATH']}"
    done = subprocess.run([BIN / "yolo-attn", *args], env={**variables, **env}, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


def lines(output: str, mark: str) -> dict[str, str]:
    """Returns what the lines with `mark` say, by the check's name."""
    found = (line.partition(mark) for line in output.splitlines() if mark in line[20:24])
    return {name.strip(): text.strip() for name, _, text in found}


def test_everything_in_order():
    status, output, errors = run("doctor")
    in_order = lines(output, doctor.OK)
    assert status == 0, output + errors
    assert [name for name in NAMES if name not in in_order] == []
    assert version.supported() in in_order["ultralytics"]
    assert in_order["yolo"].startswith(str(BIN / "yolo"))
    assert all(seam in in_order["patches"] for seam in upstream.SEAMS)
    assert doctor.OFF not in output and "Traceback" not in errors


def test_switched_off():
    status, output, errors = run("doctor", YOLO_ATTN="0")
    off = lines(output, doctor.OFF)
    assert status == 1 and "Traceback" not in errors
    assert set(off) == {"YOLO_ATTN", "start-up hook", "patches", "yolo"}
    assert all(text.endswith("unset YOLO_ATTN") for text in off.values())


def test_console_without_emoji():
    status, output, errors = run("version", PYTHONIOENCODING="ascii")
    assert (status, output, errors) == (0, f"{__version__}\n", "")
    status, output, errors = run("nothing", PYTHONIOENCODING="ascii")
    assert status == 1 and errors.startswith("ERROR ?") and "Traceback" not in errors


# One check after the other, out of order ------------------------------------------------------------------------------


def only(checks) -> doctor.Check:
    (check,) = checks
    return check


def test_missing_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxslim", None)
    check = only(check for check in doctor._packages() if check.mark != doctor.OK)
    assert (check.mark, check.name) == (doctor.OFF, "onnxslim")
    assert check.text.startswith("is not installed: pip install -U 'onnxslim>=")


def test_package_that_does_not_import(monkeypatch, tmp_path):
    (tmp_path / "cv2.py").write_text("raise ImportError('libGL.so.1: cannot open shared object file')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "cv2")
    check = only(check for check in doctor._packages() if check.mark != doctor.OK)
    assert (check.mark, check.name) == (doctor.OFF, "opencv")
    assert "does not import (ImportError: libGL.so.1" in check.text and "pip install -U 'opencv-python>=" in check.text


@pytest.mark.parametrize("module", [SimpleNamespace(__version__="7.0"), SimpleNamespace()], ids=["old", "remains"])
def test_unsupported_package(monkeypatch, module):
    monkeypatch.setitem(sys.modules, "ultralytics", module)
    check = only(check for check in doctor._packages() if check.mark != doctor.OK)
    assert (check.mark, check.name) == (doctor.OFF, "ultralytics")
    assert f"is not supported: pip install -U 'ultralytics{version.supported()}'" in check.text


def test_unknown_requirements(monkeypatch):
    def fail():
        raise ImportError("No package metadata was found for yolo_attn")

    monkeypatch.setattr(doctor, "requirements", fail)
    marks = {check.name: check.mark for check in doctor._packages()}
    assert marks.pop("requirements") == doctor.OFF
    assert set(marks.values()) == {doctor.OK}


def test_hook_that_is_not_armed(monkeypatch):
    monkeypatch.delenv("YOLO_ATTN", raising=False)
    monkeypatch.setattr(boot, "armed", lambda: False)
    check = only(doctor._hook())
    assert check.mark == doctor.OFF and check.text.endswith(f": reinstall yolo_attn into {sys.prefix}")
    monkeypatch.setattr(doctor.metadata, "files", lambda name: [])
    assert "its start-up file yolo_attn.pth is missing; reinstall" in only(doctor._hook()).text


def test_check_that_fails_is_a_line(monkeypatch):
    def fail():
        raise RuntimeError("nobody thought\nof this")

    for name in ("_packages", "_patches", "_command", "_doubles", "_providers", "_devices"):
        monkeypatch.setattr(doctor, name, lambda: iter(()))
    monkeypatch.setattr(boot, "armed", fail)
    check = [check for check in doctor.checks() if check.name == "hook"]
    assert check == [(doctor.OFF, "hook", "this check failed with RuntimeError: nobody thought")]


def test_no_yolo_command(monkeypatch):
    monkeypatch.setattr(doctor.shutil, "which", lambda *args, **kwargs: None)
    assert only(doctor._command()).text.startswith("is not found: pip install")


def test_yolo_of_an_environment_without_attention(monkeypatch, tmp_path):
    """PATH leads to another environment's `yolo`: it has Ultralytics, and no yolo_attn."""
    other = create_environment(tmp_path)
    see_running_packages(other)
    monkeypatch.setenv("PATH", str(other.root / "bin"))
    own, path, typed = doctor._command()
    assert own.mark == doctor.OK and own.text.startswith(str(BIN / "yolo"))
    assert path.mark == doctor.NOTE and path.text.startswith(f"leads to {other.root / 'bin' / 'yolo'}")
    assert typed.mark == doctor.OFF and f"belongs to {other.root}, without attention: activate" in typed.text


def test_yolo_that_does_not_run(tmp_path):
    other = create_environment(tmp_path)
    see_running_packages(other)
    (other.site / "running.pth").unlink()
    check = doctor._ask(other.root / "bin" / "yolo")
    assert check.mark == doctor.OFF and "No module named 'ultralytics'" in check.text


@pytest.mark.parametrize(
    ("script", "python"),
    [
        ("#!/opt/venv/bin/python3\n# -*- coding: utf-8 -*-\n", ["/opt/venv/bin/python3"]),
        ("#!/usr/bin/env python3\nimport re\n", ["/usr/bin/env", "python3"]),
        ("#!/opt/venv/bin/python3 -E\n", ["/opt/venv/bin/python3", "-E"]),
        ("#!/bin/sh\n'''exec' \"/opt/my venv/bin/python\" \"$0\" \"$@\"\n' '''\n", ["/opt/my venv/bin/python"]),
        ("#!/bin/sh\n'''exec' /opt/venv/bin/python \"$0\" \"$@\"\n' '''\n", ["/opt/venv/bin/python"]),
        ("#!/usr/bin/env bash\nexec something\n", None),
        ("", None),
    ],
)
def test_interpreter_of_a_command(tmp_path, script, python):
    (tmp_path / "yolo").write_text(script)
    assert doctor.interpreter(tmp_path / "yolo") == python


def test_interpreter_of_a_windows_command(tmp_path):
    (tmp_path / "yolo.exe").write_bytes(b"MZ\x90\x00\xff\n")
    (tmp_path / "python.exe").touch()
    assert doctor.interpreter(tmp_path / "yolo.exe") == [str(tmp_path / "python.exe")]


def test_yolo_of_a_version_manager_is_not_run(tmp_path):
    (tmp_path / "yolo").write_text("#!/usr/bin/env bash\nexit 1\n")
    check = doctor._ask(tmp_path / "yolo")
    assert check.mark == doctor.NOTE and "does not say which Python runs it" in check.text


def fake_torch(cuda: bool, mps: bool = False) -> SimpleNamespace:
    devices = ["NVIDIA A", "NVIDIA B"]
    return SimpleNamespace(
        __version__="3.0",
        cuda=SimpleNamespace(is_available=lambda: cuda, device_count=lambda: 2, get_device_name=devices.__getitem__),
        backends=SimpleNamespace(mps=SimpleNamespace(is_available=lambda: mps)),
    )


@pytest.mark.parametrize(
    ("torch", "smi", "mark", "text"),
    [
        (fake_torch(True), None, doctor.OK, "cuda:0 NVIDIA A, cuda:1 NVIDIA B"),
        (fake_torch(False, mps=True), None, doctor.OK, "mps"),
        (fake_torch(False), None, doctor.OK, "CPU"),
        (fake_torch(False), "/usr/bin/nvidia-smi", doctor.NOTE, "CPU; torch 3.0 sees no GPU: pip install"),
    ],
)
def test_torch_devices(monkeypatch, torch, smi, mark, text):
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setattr(doctor.shutil, "which", lambda name: smi)
    check = only(doctor._devices())
    assert check.mark == mark and check.text.startswith(text)


def test_onnxruntime_that_cannot_use_the_gpu(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", fake_torch(True))
    runtime = SimpleNamespace(get_available_providers=lambda: ["CPUExecutionProvider"])
    monkeypatch.setitem(sys.modules, "onnxruntime", runtime)
    providers, gpu = doctor._providers()
    assert providers.text == "CPUExecutionProvider"
    assert gpu.mark == doctor.NOTE and "pip install -U onnxruntime-gpu" in gpu.text


def test_two_distributions_of_one_package(monkeypatch):
    owners = {"cv2": ["opencv-python", "opencv-python"], "onnxruntime": ["onnxruntime-gpu", "onnxruntime"]}
    monkeypatch.setattr(doctor.metadata, "packages_distributions", lambda: owners)
    check = only(doctor._doubles())
    assert check.mark == doctor.NOTE and "pip uninstall onnxruntime onnxruntime-gpu" in check.text
