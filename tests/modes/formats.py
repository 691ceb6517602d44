"""Every format that the stock exporter writes here, with every operator, against PyTorch in float64.

    python -m tests.modes.formats             all of them, about an hour on two cores; formats.csv is written
    python -m tests.modes.formats ncnn mnn    these alone

A format has an environment of its own below `.compat/`, with the packages that Ultralytics asks for. There each
operator stands, with weights to which every layer matters, in a detector of three layers, which is exported by
`yolo export`'s own code, run by Ultralytics' own backend and judged as an ONNX file is (`yolo_attn.export.parity`):
against a run in float64, by the error that PyTorch itself makes there.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from benchmarks.machine import machine, update_rows
from tests.support import environments
from tests.support.environments import ROOT
from yolo_attn import registry

RESULTS = Path(__file__).with_name("formats.csv")


class Format(NamedTuple):
    """The precision in which a format computes, and pip's arguments for the packages that its exporter asks for."""

    precision: str = "float32"
    installs: tuple[str, ...] = ()


TENSORFLOW = ("tensorflow<=2.19.0", "tf_keras<=2.19.0", "sng4onnx", "onnx_graphsurgeon", "ai-edge-litert>=1.2.0")
FORMATS = {
    "torchscript": Format(),
    "onnx": Format(),
    "openvino": Format(),
    "mnn": Format(installs=("MNN>=2.9.6",)),
    "ncnn": Format("float16"),  # its layers store and compute in half where the processor can
    "litert": Format(installs=("litert-torch>=0.10.0 ai-edge-litert>=2.3.0",)),
    "saved_model": Format(installs=(" ".join(TENSORFLOW), "--no-deps onnx2tf>=1.26.3,<1.29.0")),
    "executorch": Format(installs=("executorch",)),
    "paddle": Format(installs=("paddlepaddle>=3.0.0,<3.3.0 x2paddle",)),
}
LIMIT = 600  # seconds for one process
IMGSZ = 64
CALIBRATION = "calibration_image_sample_data_20x128x128x3_float32.npy"
MARK = "agreement:"


def agreement(operator: str, form: str, folder: Path) -> dict:
    """Exports one operator's detector and returns how far it is from float64, and how far it may be."""
    import numpy as np
    import torch
    from ultralytics import YOLO
    from ultralytics.nn.autobackend import AutoBackend

    from tests.support.sensitive import sensitive
    from tests.support.tiny import detector, image, written
    from yolo_attn.export.parity import errors, references
    from yolo_attn.tolerance import allowed

    yolo = YOLO(written(detector((1, operator), widths=(16, 32, 32)), folder / f"{operator}.yaml"))
    sensitive(yolo.model)
    checkpoint = folder / f"{operator}.pt"
    yolo.save(checkpoint)
    model = YOLO(checkpoint).model.float().eval().fuse(verbose=False)
    model.model[-1].export, model.model[-1].format = True, "torchscript"
    reference = references(model, [("noise", image(0, IMGSZ))])[0]
    if form == "saved_model":  # its exporter downloads pictures to run the network on once
        np.save(CALIBRATION, np.random.default_rng(0).random((20, 128, 128, 3), np.float32))
    file = YOLO(checkpoint).export(format=form, imgsz=IMGSZ, device="cpu", verbose=False)
    if form == "openvino":  # whose backend in Ultralytics lets some processors compute in BF16
        from openvino import Core

        network = Core().compile_model(next(Path(file).glob("*.xml")), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        said = network(reference.images.numpy())[0]
    else:
        said = AutoBackend(file, device=torch.device("cpu"), verbose=False)(reference.images)
    found = np.asarray(said[0] if isinstance(said, list | tuple) else said, np.float64)
    (error,) = errors([found.reshape(reference.expected[0].shape)], reference.expected[:1], False)
    return {"operator": operator, "error": error, "allowed": allowed(reference.own[0], FORMATS[form].precision)}


def child(form: str, operators: list[str]) -> None:
    """Tries the operators in the running environment and prints what became of each."""
    import torch

    torch.set_num_threads(2)
    for operator in operators:
        with tempfile.TemporaryDirectory() as folder:
            try:
                said = agreement(operator, form, Path(folder))
            except Exception as error:
                line = (str(error).strip().splitlines() or [""])[0].replace(f"{ROOT}/", "")
                said = {"operator": operator, "failed": f"{type(error).__name__}: {line[:160]}"}
        print(MARK, json.dumps(said), flush=True)


def tried(form: str) -> dict[str, str]:
    """Makes a format's environment, tries the format there, and returns its row of the results."""
    began, folder = time.time(), ROOT / ".compat" / form
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    made = environments.create_environment(folder)
    environments.see_running_packages(made, hooks=True)
    for packages in FORMATS[form].installs:
        environments.pip("--python", made.python, "install", "--quiet", *packages.split())
    env = environments.clean_variables() | {"YOLO_AUTOINSTALL": "false", "YOLO_CONFIG_DIR": str(folder)}
    env |= {"PIP_NO_INDEX": "1"}  # MNN calls pip at its import, whichever comes first
    env |= {"PYTHONPATH": str(ROOT), "PATH": f"{made.root / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    found: list[dict] = []
    while left := registry.names()[len(found) :]:
        command = [made.python, "-m", "tests.modes.formats", "--child", form, *left]
        with (folder / "said.txt").open("a+") as said:
            before = said.tell()
            running = subprocess.Popen(command, cwd=folder, env=env, stdout=said, stderr=said)
            try:
                ended = f"the process ended with {running.wait(LIMIT)}"
            except subprocess.TimeoutExpired:
                running.kill()
                ended = f"took longer than {LIMIT} s"
            said.seek(before)
            lines = [line.partition(MARK)[2] for line in said if MARK in line]
        found += [json.loads(line) for line in lines]
        if len(lines) < len(left):  # a converter may end the process, or hang
            found.append({"operator": left[len(lines)], "failed": ended})
    run = [one for one in found if "error" in one]
    right = [one for one in run if one["error"] <= one["allowed"]]
    others = [f"{one['operator']} {one['error']:.0e}" for one in run if one not in right]
    others += [f"{one['operator']}: {one['failed']}" for one in found if "failed" in one]
    worst = max(run, key=lambda one: one["error"] / one["allowed"], default=None)
    row = {
        "format": form,
        "precision": FORMATS[form].precision,
        "operators": f"{len(right)} of {len(found)}",
        "largest error": f"{max((one['error'] for one in right), default=float('nan')):.0e}",
        "its part of the allowed": f"{worst['error'] / worst['allowed']:.2f}" if worst else "",
        "otherwise": "; ".join(others),
        "minutes": f"{(time.time() - began) / 60:.1f}",
    }
    print(row, flush=True)
    return row


def main(wanted: list[str]) -> None:
    """Tries the formats."""
    rows = [tried(form) for form in wanted or FORMATS]
    print(update_rows(RESULTS, rows, machine("torch", "ultralytics")))


if __name__ == "__main__":
    child(sys.argv[2], sys.argv[3:]) if sys.argv[1:2] == ["--child"] else main(sys.argv[1:])
