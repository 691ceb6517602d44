"""Every mode of Ultralytics with a model that has attention, run as people run it, with the stock command or a script.

    python -m tests.modes                 all of them, about half an hour on two cores; results.csv is written
    python -m tests.modes resume tune     these alone

A mode is right where its command ends well, and where the checkpoint that it leaves has the attention that the model's
name asks for. Python packages that a mode wants are installed in an environment of its own below `.compat/`.
"""

import functools
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import cv2
from ultralytics import YOLO

from benchmarks.machine import machine, write_rows
from tests.support import environments, task_sets
from tests.support.environments import ROOT, Environment
from yolo_attn.nn import Attention

RESULTS = Path(__file__).with_name("results.csv")
PACKAGES = ("lap", "nbclient", "ipykernel", "polars")  # for tracking, notebooks and benchmark
RAY = ("ray[tune]", "optuna")  # which bring a protobuf that onnx does not take
MODEL = "yolo11n-cbam-P5-eca-in-backbone"
FAST = "epochs=1 imgsz=64 batch=4 workers=0 device=cpu plots=False"
LIMIT = 900  # seconds
SUFFIXES = {
    "segment": "-seg",
    "pose": "-pose",
    "obb": "-obb",
    "classify": "-cls",
    "semantic": "-sem",
    "depth": "-depth",
}


class Mode(NamedTuple):
    """What is done, the commands or the script that do it, and the packages that they want."""

    what: str
    run: Callable[["Place"], None]
    packages: tuple[str, ...] = PACKAGES


class Place:
    """A folder in which a mode's commands run, and the environment whose `yolo` and Python they are."""

    def __init__(self, folder: Path, environment: Environment, trained: Path | None = None):
        self.folder, self.environment, self.trained = folder, environment, trained

    def run(self, program: str, *words: str) -> str:
        """Runs a program of the environment and returns what it said.

        Raises:
            AssertionError: It failed.
        """
        env = environments.clean_variables() | {"YOLO_AUTOINSTALL": "false", "YOLO_CONFIG_DIR": str(self.folder)}
        env |= {"PYTHONPATH": str(ROOT), "RAY_DISABLE_DASHBOARD": "1", "RAY_USAGE_STATS_ENABLED": "0"}
        env |= {"PATH": f"{self.environment.root / 'bin'}{os.pathsep}{os.environ['PATH']}"}
        command = [self.environment.root / "bin" / program, *words]
        done = subprocess.run(command, cwd=self.folder, env=env, capture_output=True, text=True, timeout=LIMIT)
        said = done.stdout + done.stderr
        assert done.returncode == 0, said[-2500:]
        return said

    def yolo(self, words: str) -> str:
        return self.run("yolo", *words.split())

    def python(self, script: str) -> str:
        return self.run("python", "-c", script)

    def data(self, task: str = "detect") -> str:
        """Returns what `data=` takes for a small set of a task."""
        root = self.folder / task
        return task_sets.data(root, task) if not root.exists() else str(root / "data.yaml")

    def train(self, words: str = "", name: str = "train", model: str = f"{MODEL}.yaml") -> Path:
        """Trains and returns the last checkpoint, which has the model's attention."""
        self.yolo(f"train model={model} data={self.data()} {FAST} project={self.folder} name={name} {words}")
        last = self.folder / name / "weights" / "last.pt"
        has_attention(last)
        return last


def has_attention(checkpoint: Path, least: int = 2) -> None:
    """Raises AssertionError where a checkpoint does not hold the attention of the model's name."""
    names = [type(m).__name__ for m in YOLO(checkpoint).model.modules() if isinstance(m, Attention)]
    assert len(names) >= least, f"{checkpoint.name} has attention {names}"


def task(name: str) -> Callable[[Place], None]:
    """Returns what trains, validates, predicts and exports a model of a task."""

    def run(place: Place) -> None:
        model, data = f"yolo26n{SUFFIXES.get(name, '')}-cbam-backbone.yaml", place.data(name)
        place.yolo(f"{name} train model={model} data={data} {FAST} project={place.folder} name={name}-run")
        best = place.folder / f"{name}-run" / "weights" / "best.pt"
        has_attention(best, least=1)
        place.yolo(f"{name} val model={best} data={data} imgsz=64 device=cpu plots=False")
        place.yolo(f"{name} predict model={best} source={picture()} imgsz=64 device=cpu")
        said = place.yolo(f"export model={best} format=onnx imgsz=64 device=cpu")
        assert "ONNX agrees with PyTorch ✅" in said, said[-1500:]

    return run


def picture() -> Path:
    return task_sets.ASSETS / "bus.jpg"


def training(words: str) -> Callable[[Place], None]:
    """Returns what trains with further arguments."""
    return lambda place: place.train(words) and None


def resume(place: Place) -> None:
    script = f"""
from ultralytics import YOLO
class Stop(Exception): pass
def stop(trainer):
    if trainer.epoch == 1: raise Stop
yolo = YOLO("{MODEL}.yaml")
yolo.add_callback("on_train_epoch_start", stop)
try:
    yolo.train(data={place.data()!r}, epochs=3, imgsz=64, batch=4, workers=0, device="cpu", plots=False,
               project={str(place.folder)!r}, name="stopped")
except Stop:
    pass
"""
    place.python(script)
    last = place.folder / "stopped" / "weights" / "last.pt"
    said = place.yolo(f"train resume model={last}")
    assert "Resuming training" in said
    has_attention(last)


def track(tracker: str) -> Callable[[Place], None]:
    def run(place: Place) -> None:
        file = place.folder / "video.mp4"
        writer = cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*"mp4v"), 10, (320, 320))
        for shift in range(8):
            writer.write(task_sets.picture(4 * shift))
        writer.release()
        place.yolo(f"track model={place.trained} source={file} tracker={tracker}.yaml imgsz=64 device=cpu")

    return run


def benchmark(place: Place) -> None:
    shutil.copy(place.trained, place.folder / "best.pt")
    for form in ("onnx", "torchscript"):
        said = place.yolo(f"benchmark model=best.pt data={place.data()} imgsz=64 device=cpu format={form}")
        assert "✅" in said, said[-1500:]


def tune(place: Place) -> None:
    place.python(f"""
from ultralytics import YOLO
YOLO("{MODEL}.yaml").tune(iterations=2, data={place.data()!r}, epochs=1, imgsz=64, batch=4, workers=0, device="cpu",
    plots=False, project={str(place.folder)!r}, name="tuned")
""")
    has_attention(next(place.folder.rglob("best.pt")))


def tune_with_ray(place: Place) -> None:
    place.python(f"""
from ultralytics import YOLO
from ray import tune
found = YOLO("{MODEL}.yaml").tune(use_ray=True, iterations=1, gpu_per_trial=0,
    space={{"lr0": tune.uniform(1e-3, 1e-2)}}, data={place.data()!r}, epochs=1, imgsz=64, batch=4, workers=0,
    device="cpu", plots=False)
assert not found.errors, found.errors
""")


def custom_trainer(place: Place) -> None:
    place.python(f"""
from ultralytics import YOLO
from ultralytics.models.yolo.detect import DetectionTrainer
from yolo_attn.nn import Attention
class Mine(DetectionTrainer):
    def get_model(self, cfg=None, weights=None, verbose=True):
        model = super().get_model(cfg, weights, verbose)
        self.attention = sum(isinstance(m, Attention) for m in model.modules())
        return model
seen = []
yolo = YOLO("{MODEL}.yaml")
for event in ("on_train_start", "on_train_batch_end", "on_fit_epoch_end", "on_model_save", "on_train_end"):
    yolo.add_callback(event, lambda trainer, event=event: seen.append((event, trainer.attention)))
yolo.train(trainer=Mine, data={place.data()!r}, epochs=1, imgsz=64, batch=4, workers=0, device="cpu", plots=False,
           project={str(place.folder)!r}, name="t")
assert len(dict(seen)) == 5 and min(dict(seen).values()) >= 2, seen
""")


FOLDS = """
import shutil, yaml
from pathlib import Path
from ultralytics import YOLO
root = Path({root!r})
pictures = sorted((root / "images").rglob("*.jpg"))
results = []
for k in range(2):
    lists = {{}}
    for part, chosen in (("train", pictures[k::2]), ("val", pictures[1 - k :: 2])):
        lists[part] = str(root / f"fold{{k}}-{{part}}.txt")
        Path(lists[part]).write_text("\\n".join(map(str, chosen)))
    file = root / f"fold{{k}}.yaml"
    file.write_text(yaml.safe_dump(lists | {{"path": str(root), "names": {{0: "a", 1: "b", 2: "c"}}}}))
    results.append(YOLO("{model}.yaml").train(data=str(file), epochs=1, imgsz=64, batch=4, workers=0, device="cpu",
        plots=False, project={folder!r}, name=f"fold{{k}}").box.map)
assert len(results) == 2
"""


def folds(place: Place) -> None:
    place.data()
    place.python(FOLDS.format(root=str(place.folder / "detect"), model=MODEL, folder=str(place.folder)))
    for k in range(2):
        has_attention(place.folder / f"fold{k}" / "weights" / "best.pt")


def notebook(place: Place) -> None:
    """A notebook whose kernel imports Ultralytics, trains and exports."""
    cells = [
        "from ultralytics import YOLO",
        f"model = YOLO('{MODEL}.yaml')",
        f"model.train(data={place.data()!r}, epochs=1, imgsz=64, batch=4, workers=0, device='cpu', plots=False)",
        "model.val(imgsz=64, device='cpu', plots=False).box.map",
        "model.export(format='onnx', imgsz=64)",
    ]
    place.python(f"""
import nbformat
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook
book = new_notebook(cells=[new_code_cell(text) for text in {cells!r}])
NotebookClient(book, timeout=600, kernel_name="python3").execute()
said = "".join(str(cell.outputs) for cell in book.cells)
assert "agrees with PyTorch" in said
""")


def distillation(place: Place) -> None:
    place.train(f"distill_model={place.trained}")


def periodically(place: Place) -> None:
    last = place.train("save_period=1")
    assert list(last.parent.glob("epoch*.pt"))


MODES = {
    **{f"{name}": Mode(f"train, val, predict, export of task {name}", task(name)) for name in ("detect", *SUFFIXES)},
    "resume": Mode("train, stopped in its second epoch, resume", resume),
    "bytetrack": Mode("track, tracker=bytetrack.yaml", track("bytetrack")),
    "botsort": Mode("track, tracker=botsort.yaml", track("botsort")),
    "benchmark": Mode("benchmark, format=onnx and torchscript", benchmark),
    "tune": Mode("tune, iterations=2", tune),
    "ray": Mode("tune, use_ray=True", tune_with_ray, RAY),
    "distill": Mode("train, distill_model=", distillation),
    "compile": Mode("train, compile=True", training("compile=True")),
    "cache-ram": Mode("train, cache=ram", training("cache=ram")),
    "cache-disk": Mode("train, cache=disk", training("cache=disk")),
    "multi-scale": Mode("train, multi_scale=0.5", training("multi_scale=0.5")),
    "rect": Mode("train, rect=True", training("rect=True")),
    "amp": Mode("train, amp=True", training("amp=True")),
    "no-amp": Mode("train, amp=False", training("amp=False")),
    "freeze": Mode("train, freeze=5", training("freeze=5")),
    "close-mosaic": Mode("train, close_mosaic=1", training("close_mosaic=1")),
    "save-period": Mode("train, save_period=1", periodically),
    "end2end": Mode("train, end2end=False, of yolo26n", lambda place: place.train(
        "end2end=False", model="yolo26n-cbam-P5-eca-in-backbone.yaml") and None),
    "single-cls": Mode("train, single_cls=True", training("single_cls=True")),
    "classes": Mode("train, classes=0", training("classes=0")),
    "trainer": Mode("a trainer of one's own and callbacks", custom_trainer),
    "k-fold": Mode("a script that trains on two folds", folds),
    "notebook": Mode("a notebook that trains, validates and exports", notebook),
}  # fmt: skip


@functools.cache
def environment(packages: tuple[str, ...]) -> Environment:
    """Makes an environment that has these packages beside the running ones."""
    folder = ROOT / ".compat" / packages[0]
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    made = environments.create_environment(folder)
    environments.see_running_packages(made, hooks=True)
    environments.pip("--python", made.python, "install", "--quiet", *packages)
    return made


@contextmanager
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="modes-") as name:
        yield Path(name)


def tried(mode: Mode, place: Place) -> dict[str, str]:
    """Runs a mode and returns its row of the results."""
    began, outcome = time.time(), "passed"
    try:
        mode.run(place)
    except (AssertionError, subprocess.TimeoutExpired) as error:
        print(error, flush=True)
        outcome = f"failed: {(str(error).strip().splitlines() or ['?'])[-1][:120]}"
    row = {"mode": mode.what, "outcome": outcome, "seconds": f"{time.time() - began:.0f}"}
    print(row, flush=True)
    return row


def main(wanted: list[str]) -> int:
    """Runs the modes; returns the exit status."""
    with folder() as common:
        trained = Place(common, environment(PACKAGES)).train()
        rows = []
        for name in wanted or MODES:
            with folder() as own:
                rows.append(tried(MODES[name], Place(own, environment(MODES[name].packages), trained)))
    if not wanted:
        print(write_rows(RESULTS, rows, machine("torch", "ultralytics")))
    return 0 if all(row["outcome"] == "passed" for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
