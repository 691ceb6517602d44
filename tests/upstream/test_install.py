"""Installing the patch layer: it undoes itself, and it notices an Ultralytics in which a seam does not hold."""

import os
import pickle
import subprocess
import sys

import pytest
import torch
from ultralytics.data import utils
from ultralytics.engine.exporter import Exporter
from ultralytics.engine.trainer import BaseTrainer
from ultralytics.nn import tasks
from ultralytics.utils import checks

from yolo_attn import upstream
from yolo_attn.errors import AttentionError
from yolo_attn.nn import ECA
from yolo_attn.upstream import (
    blocks,
    checkpoints,
    compose,
    datasets,
    exporter,
    fuse,
    lookup,
    parse,
    presence,
    training,
    weights,
)

SEAMS = set(upstream.SEAMS)

# Everything of Ultralytics that could be replaced, and what of Python and torch the patch layer touches.
SNAPSHOT = """
import sys
import torch
from ultralytics import YOLO
import ultralytics.engine.exporter, ultralytics.engine.trainer, ultralytics.models.yolo, ultralytics.data.utils
from ultralytics.engine.exporter import Exporter
from ultralytics.engine.trainer import BaseTrainer
from ultralytics.engine.trainer import BaseTrainer
from ultralytics.nn import tasks

def snapshot():
    modules = {name: m for name, m in sys.modules.items() if name.split(".")[0] == "ultralytics"}
    places = {name: dict(vars(module)) for name, module in modules.items()}
    for owner in (tasks.BaseModel, tasks.DetectionModel, Exporter):
        places[owner.__name__] = dict(vars(owner))
    places["interpreter"] = {"excepthook": sys.excepthook, "meta_path": list(map(id, sys.meta_path))}
    places["torch"] = {"safe_globals": frozenset(torch.serialization.get_safe_globals())}
    return places

def changes(before, after):
    return sorted(
        f"{place}.{name}"
        for place in before
        for name in before[place].keys() | after[place].keys()
        if before[place].get(name, before) is not after[place].get(name, before)
        and before[place].get(name, before) != after[place].get(name, before)
    )

def strays():
    return [
        f"{module}.{name}"
        for module, held in snapshot().items()
        for name, value in held.items()
        if "yolo_attn" in str(getattr(getattr(value, "__code__", None), "co_filename", ""))
        or str(getattr(value, "__module__", "")).startswith("yolo_attn")
    ]
"""


@pytest.fixture(autouse=True)
def with_patches():
    """The start-up hook has installed them, unless the tests run with it switched off."""
    upstream.install()
    admitted = torch.serialization.get_safe_globals()
    yield
    torch.serialization.clear_safe_globals()
    torch.serialization.add_safe_globals(admitted)


def run(code: str, hook: str = "0") -> list[str]:
    """Runs `code` in a fresh interpreter, by default with the hook off, and returns the lines it printed."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "YOLO_ATTN": hook},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.splitlines()


def test_uninstall_restores_exactly_what_was_there():
    code = """
before = snapshot()
from yolo_attn import upstream
sys.argv[0] = "yolo"
state = torch.get_rng_state()
for _ in range(2):
    upstream.install()
    upstream.install()  # a second time changes nothing
    print("random numbers untouched", torch.equal(state, torch.get_rng_state()))
    print(*upstream.installed())
    print(*changes(before, snapshot()))
    upstream.uninstall()
    print("left", changes(before, snapshot()), strays(), upstream.installed())
"""
    untouched, installed, changed, left, *again = run(SNAPSHOT + code)
    assert untouched == "random numbers untouched True"
    assert set(installed.split()) == SEAMS
    assert {
        "BaseModel.fuse",
        "BaseModel.is_fused",
        "Exporter.export_onnx",
        "interpreter.excepthook",
        "torch.safe_globals",
        "ultralytics.data.utils.check_det_dataset",
        "ultralytics.nn.tasks.parse_model",
        "ultralytics.nn.tasks.yolo_attn.GAM",
        "ultralytics.utils.checks.check_file",
    } <= set(changed.split())
    assert left == "left [] [] []"
    assert again == [untouched, installed, changed, left]


def test_a_seam_that_does_not_hold_takes_everything_back_and_refuses_attention():
    code = """
before = snapshot()
import ultralytics
from yolo_attn import upstream
from yolo_attn.upstream import fuse, version
fuse.install = lambda: None
for module in ("ultralytics.nn.tasks", "ultralytics.engine.exporter"):  # as the hook does, which warns and goes on
    try:
        upstream.on_import(module)
    except ValueError as error:
        reason = error
print(reason)
print(ultralytics.__version__ in str(reason), version.supported() in str(reason))
print(*changes(before, snapshot()))
print("installed", upstream.installed())
print("built", len(YOLO("yolov8n.yaml").model.model))
rows = {"nc": 1, "backbone": [[-1, 1, "Conv", [8]], [-1, 1, "GAM", []]], "head": []}
try:
    tasks.parse_model(rows, 3)
except ValueError as refusal:
    print("refused", refusal)
upstream.uninstall()
print("left", changes(before, snapshot()), strays())
"""
    error, says_versions, changed, installed, built, refused, left = run(SNAPSHOT + code)
    assert "fuse() of this ultralytics" in error
    # Until uninstall(), the parser alone is replaced: everywhere, by the one that refuses.
    assert {name.rpartition(".")[2] for name in changed.split()} == {"parse_model"}
    assert installed == "installed []" and built == "built 23"
    assert refused == f"refused {error}"
    assert left == "left [] []"
    assert says_versions == "True True"


# Ultralytics' modules import one another in circles: each of these is the first import of some program.
@pytest.mark.parametrize("first", ["data", "data.utils", "engine.trainer", "engine.exporter", "models", "utils.checks"])
def test_any_module_of_ultralytics_may_come_first(first):
    code = f"""
import warnings; warnings.simplefilter("error", RuntimeWarning)
import ultralytics.{first}
import ultralytics.engine.exporter, ultralytics.engine.trainer
from ultralytics.data import utils
from ultralytics.engine import validator
from yolo_attn import upstream
from yolo_attn.upstream import datasets
print(*upstream.installed())
print(utils.check_det_dataset is validator.check_det_dataset is datasets.check_det_dataset)
"""
    installed, reached = run(code, hook="1")
    assert set(installed.split()) == SEAMS
    assert reached == "True"


def stock(monkeypatch, owner: object, name: str, original: object) -> None:
    """Puts Ultralytics' own function back, as if the seam had not reached it."""
    monkeypatch.setattr(owner, name, original)


def parse_is_not_reached(monkeypatch):
    stock(monkeypatch, tasks, "parse_model", parse._original)


def parse_reads_other_channels(monkeypatch):
    """As if `ch[f]` had come to mean another row's channels."""
    init = parse.ChannelProbe.__init__
    monkeypatch.setattr(
        parse.ChannelProbe, "__init__", lambda self, ch, f, *args: init(self, ch[:1] * len(ch), f, *args)
    )


def parse_reads_no_channels(monkeypatch):
    """As if `parse_model` had renamed its variable `ch`: the probe then gets the name itself."""
    monkeypatch.setattr(parse.ChannelProbe, "ARGUMENTS", ("channels", "f", "width", "max_channels"))


def parse_saves_other_rows(monkeypatch):
    patched = parse.parse_model
    monkeypatch.setattr(tasks, "parse_model", lambda *args, **kwargs: (patched(*args, **kwargs)[0], []))


def lookup_is_not_reached(monkeypatch):
    stock(monkeypatch, checks, "check_file", lookup._original)


def lookup_finds_no_file(monkeypatch):
    monkeypatch.setattr(checks, "check_file", lambda *args, **kwargs: "nowhere.yaml")


def fuse_is_not_reached(monkeypatch):
    stock(monkeypatch, tasks.BaseModel, "fuse", fuse._fuse)


def fuse_forgets_to_look_for_attention(monkeypatch):
    stock(monkeypatch, tasks.BaseModel, "is_fused", fuse._is_fused)


def fuse_changes_values(monkeypatch):
    deploy = ECA.deploy

    def other(self):
        deployed = deploy(self)
        for tensor in deployed.state_dict().values():
            tensor.fill_(1.0)
        return deployed

    monkeypatch.setattr(ECA, "deploy", other)


def checkpoints_are_not_admitted(monkeypatch):
    torch.serialization.clear_safe_globals()


def checkpoints_read_other_values(monkeypatch):
    load = torch.load

    def other(*args, **kwargs):
        read = load(*args, **kwargs)
        return {**read, "weight": read["weight"] + 1}

    monkeypatch.setattr(torch, "load", other)


def datasets_are_not_reached(monkeypatch):
    stock(monkeypatch, utils, "check_det_dataset", datasets._check_det_dataset)


def datasets_have_no_folder(monkeypatch):
    monkeypatch.setattr(utils, "DATASETS_DIR", None)


def exporter_is_not_reached(monkeypatch):
    stock(monkeypatch, Exporter, "export_onnx", exporter._export_onnx)


def presence_adds_no_loss(monkeypatch):
    stock(monkeypatch, tasks.BaseModel, "loss", presence._loss)


def parse_knows_another_bottleneck(monkeypatch):
    monkeypatch.setattr(blocks.AttentionBottleneck, "forward", lambda self, x: self.cv2(self.cv1(x)))


def compose_is_not_reached(monkeypatch):
    stock(monkeypatch, tasks, "yaml_model_load", compose._original)


def compose_finds_no_base(monkeypatch):
    monkeypatch.setattr(compose, "_original", lambda path: {}["gone"])


def weights_do_not_follow(monkeypatch):
    stock(monkeypatch, tasks.BaseModel, "load", weights._load)


def weights_are_not_copied(monkeypatch):
    monkeypatch.setattr(weights, "_load", lambda self, source: None)


def training_is_not_reached(monkeypatch):
    stock(monkeypatch, BaseTrainer, "_setup_train", training._setup_train)


RED = (
    AttentionError,
    KeyError,
    TypeError,
    pickle.UnpicklingError,
)  # whichever: the patch layer refuses after any error
SABOTAGE = [
    (parse, parse_is_not_reached),
    (parse, parse_reads_other_channels),
    (parse, parse_reads_no_channels),
    (parse, parse_saves_other_rows),
    (parse, parse_knows_another_bottleneck),
    (compose, compose_is_not_reached),
    (compose, compose_finds_no_base),
    (lookup, lookup_is_not_reached),
    (lookup, lookup_finds_no_file),
    (datasets, datasets_are_not_reached),
    (datasets, datasets_have_no_folder),
    (fuse, fuse_is_not_reached),
    (fuse, fuse_forgets_to_look_for_attention),
    (fuse, fuse_changes_values),
    (checkpoints, checkpoints_are_not_admitted),
    (checkpoints, checkpoints_read_other_values),
    (exporter, exporter_is_not_reached),
    (presence, presence_adds_no_loss),
    (weights, weights_do_not_follow),
    (weights, weights_are_not_copied),
    (training, training_is_not_reached),
]


@pytest.mark.parametrize(("seam", "sabotage"), SABOTAGE, ids=[sabotage.__name__ for _, sabotage in SABOTAGE])
def test_canary_goes_red(seam, sabotage, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)  # where there is no data/shapes.yaml but the packaged one
    seam.canary()
    sabotage(monkeypatch)
    with pytest.raises(RED):
        seam.canary()
    monkeypatch.undo()


def test_every_seam_is_sabotaged():
    assert {seam.__name__.rpartition(".")[2] for seam, _ in SABOTAGE} == SEAMS == set(upstream.installed())
