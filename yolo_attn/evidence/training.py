"""The process of one run: a training of Ultralytics, what its last checkpoint finds, and that it is done.

    python -m yolo_attn.evidence.training

What to do comes as a line of JSON on its standard input, which its parent keeps open: when that ends, the parent has
died, and a run that nobody waits for dies with all its processes.
"""

import contextlib
import json
import os
import platform
import signal
import sys
import threading
import time
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from ultralytics import YOLO

from yolo_attn.errors import brief
from yolo_attn.evidence import detail
from yolo_attn.evidence.cells import Cell
from yolo_attn.evidence.layers import attention, network
from yolo_attn.evidence.ledger import Run, State, diverged
from yolo_attn.export.staging import FULL

NO_ROOM = 28  # the exit status where the disk is full: the run can be resumed once there is room


def train(run: Run, arguments: dict[str, Any]) -> None:
    """Brings a run to its end, from wherever it is, and writes down that it is done, or why it failed."""
    began, epochs = time.time(), int(arguments["epochs"])
    try:
        state = run.state(epochs)
        if state is State.NEW:
            run.clear()
            YOLO(run.cell.model).train(
                **arguments, seed=run.seed, project=str(run.folder.parent), name=run.folder.name, exist_ok=True
            )
        elif state is State.BEGUN:
            at_home(run)
            YOLO(run.last).train(resume=True)
        if reason := diverged(run):
            run.fail(reason)
        else:
            said = {"seconds": time.time() - began, "versions": versions(), **learnt(run)}
            try:
                said |= detail.of(run)
            except Exception as error:  # whatever: what was trained is worth more than its details
                said["no detail"] = brief(error)
            run.finish(said)
    except OSError as error:
        if error.errno in FULL:
            sys.exit(NO_ROOM)
        run.fail(brief(error))
        raise
    except Exception as error:  # whatever a model, its data or a device make of it: the others go on
        run.fail(brief(error))
        raise


def learnt(run: Run) -> dict[str, Any]:
    """Returns `parameters`, and `shares`: how much of its gates each layer has taken up after an identity start."""
    model = network(YOLO(run.last))
    return {
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "shares": {path: layer.blend.tolist() for path, layer in attention(model).items() if layer.blend is not None},
    }


def versions() -> dict[str, str]:
    """Returns what the run is made with."""
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else platform.processor() or platform.machine()
    found = {name: metadata.version(name) for name in ("yolo_attn", "ultralytics", "torch", "numpy")}
    return {"Python": platform.python_version(), **found, "device": device}


def at_home(run: Run) -> None:
    """Lets a run's checkpoint resume into the folder where it is, which may have been moved or be another machine's."""
    checkpoint = torch.load(run.last, map_location="cpu", weights_only=False)
    here = {"project": str(run.folder.parent), "name": run.folder.name, "save_dir": str(run.folder)}
    if checkpoint["train_args"].get("save_dir") != here["save_dir"]:
        checkpoint["train_args"].update(here)
        moved = run.last.with_suffix(".moved")
        torch.save(checkpoint, moved)
        moved.replace(run.last)


def die_with_parent() -> None:
    """Waits for the end of the standard input and ends this process and all that it has started."""
    sys.stdin.read()
    with contextlib.suppress(AttributeError):  # Windows has no groups of processes
        os.killpg(os.getpgrp(), signal.SIGKILL)
    os._exit(1)


def main() -> int:
    """Does what the first line says; returns the exit status."""
    job = json.loads(sys.stdin.readline())
    threading.Thread(target=die_with_parent, daemon=True).start()
    run = Run(Path(job["comparison"]), Cell(*job["cell"]), job["seed"])
    train(run, job["arguments"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
