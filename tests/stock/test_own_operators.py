"""Whole rounds with an operator of somebody's own: from a package, named by the environment, in two processes."""

import json
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.support import ddp
from tests.support.environments import (
    Environment,
    build_wheel,
    clean_variables,
    create_environment,
    install,
    isolation,
    pip,
    see_running_packages,
)
from tests.support.tiny import TINY, detector, written

FILE = Path(__file__).parents[1] / "support" / "own" / "my_attention.py"
PROJECT = """
[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"
[project]
name = "somebodys-attention"
version = "1.0"
[project.entry-points."yolo_attn.operators"]
MyAttention = "somebodys_attention.operator:MyAttention"
"""


@pytest.fixture(scope="module")
def packaged(tmp_path_factory, datasets) -> Environment:
    """A fresh environment with our wheel and, as a package of its own, the operator; with the stock `yolo`."""
    folder = tmp_path_factory.mktemp("packaged")
    project = folder / "project"
    (project / "somebodys_attention").mkdir(parents=True)
    (project / "pyproject.toml").write_text(PROJECT)
    (project / "somebodys_attention" / "__init__.py").write_text("")
    (project / "somebodys_attention" / "operator.py").write_text(FILE.read_text())
    environment = create_environment(folder)
    install(environment, build_wheel(folder))
    pip("wheel", "--quiet", "--no-deps", *isolation(), "--wheel-dir", folder / "theirs", project)
    install(environment, next((folder / "theirs").glob("*.whl")))
    see_running_packages(environment)
    return environment


def arguments(folder: Path, **more) -> list[str]:
    said = {**TINY, "epochs": 1, "exist_ok": True, "name": "mine", "project": folder / "runs", **more}
    return [f"{key}={value}" for key, value in said.items()]


def test_a_package_of_somebodys_is_trained_killed_resumed_exported_and_live(packaged):
    yolo = packaged.root / "bin" / "yolo"
    model = "yolov8n-myattention.r8-P5-in-neck.yaml"
    command = [yolo, "train", *arguments(packaged.cwd, model=model, epochs=4, save_period=1)]
    last = packaged.cwd / "runs" / "mine" / "weights" / "last.pt"
    written_after_it = last.with_name("epoch1.pt")
    with (packaged.cwd / "log.txt").open("w") as log:
        running = subprocess.Popen(command, cwd=packaged.cwd, env=clean_variables(), stdout=log, stderr=log)
        for _ in range(2000):
            if written_after_it.exists() or running.poll() is not None:
                break
            time.sleep(0.05)
        running.send_signal(signal.SIGKILL)
        running.wait()
    assert running.returncode == -signal.SIGKILL and last.exists(), (packaged.cwd / "log.txt").read_text()[-3000:]
    resumed = packaged.run("yolo", "train", "resume", f"model={last}").stdout
    assert "Resuming training" in resumed and "epochs completed" in resumed
    exported = packaged.run("yolo", "export", f"model={last}", "format=onnx", "imgsz=64")
    assert "ONNX agrees with PyTorch" in exported.stdout + exported.stderr
    seen = packaged.run("yolo-attn", "live", f"model={last.with_suffix('.onnx')}", f"source={picture(packaged.cwd)}",
                        "show=False", "save_json=True")  # fmt: skip
    assert "1 frames read" in seen.stdout
    listed = packaged.run("yolo-attn", "list", "kind=own").stdout
    assert "MyAttention" in listed


def picture(folder: Path) -> Path:
    from ultralytics.utils import ASSETS

    return next(ASSETS.glob("*.jpg"))


def test_a_file_in_the_environment_is_trained_and_needed_by_its_checkpoint(yolo, datasets, tmp_path):
    named = {"YOLO_ATTN_OPERATORS": str(FILE)}
    output = yolo("train", *arguments(tmp_path, model="yolov8n-myattention.yaml"), cwd=tmp_path, **named)
    assert "1 epochs completed" in output
    best = tmp_path / "runs" / "mine" / "weights" / "best.pt"
    yolo("val", f"model={best}", "data=shapes.yaml", "imgsz=64", cwd=tmp_path, ULTRALYTICS_SAFE_LOAD="1", **named)
    output = yolo("val", f"model={best}", "data=shapes.yaml", "imgsz=64", cwd=tmp_path, fails=True)
    line = next(line for line in output.splitlines() if line.startswith("ERROR"))
    assert "needs the operator MyAttention of my_attention.py, which is not registered here" in line
    assert "requirements" not in output and "Traceback" not in output  # nobody looks for a package of that name


def test_two_processes_train_one_model(datasets, tmp_path, monkeypatch):
    monkeypatch.setenv("YOLO_ATTN_OPERATORS", str(FILE))
    rows = detector((0, "MyAttention"), (1, "Conv"))
    rows["backbone"][2:4] = [[-1, 1, "C2f_SE", [16, True, {"reduction": 4}]], [-1, 1, "EncNet", [{"codes": 4}]]]
    model = written(rows, tmp_path / "model.yaml")
    first, second = ddp.train(tmp_path, model=str(model), data="shapes.yaml", imgsz=64, epochs=2, batch=8,
                              fraction=0.05, freeze=1)  # fmt: skip
    assert first["parameters"] == second["parameters"] and len(first["parameters"]) > 50
    assert {"MyAttention", "EncNet", "SE", "AttentionBottleneck", "Presence"} <= set(first["classes"])
    assert first["loss"][-1] == "se_loss"
    frozen = [name for name in first["frozen"] if ".dfl." not in name]
    assert frozen and all(name.startswith("model.0.") for name in frozen)
    assert json.dumps(first["classes"]) == json.dumps(second["classes"])
