"""Every seam's canary goes red on an Ultralytics in which that seam does not hold."""

import pickle

import pytest
import torch
from ultralytics.data import utils
from ultralytics.engine.exporter import Exporter
from ultralytics.engine.trainer import BaseTrainer
from ultralytics.nn import tasks
from ultralytics.nn.modules import GhostBottleneck
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
    first_pass,
    fuse,
    lookup,
    parse,
    presence,
    training,
    weights,
)

SEAMS = set(upstream.SEAMS)


@pytest.fixture(autouse=True)
def with_patches():
    """The start-up hook has installed them, unless the tests run with it switched off."""
    upstream.install()
    admitted = torch.serialization.get_safe_globals()
    yield
    torch.serialization.clear_safe_globals()
    torch.serialization.add_safe_globals(admitted)


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


def parse_knows_another_ghost(monkeypatch):
    monkeypatch.setattr(GhostBottleneck, "forward", lambda self, x: self.conv(x) + 2 * self.shortcut(x))


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


def first_pass_is_not_reached(monkeypatch):
    stock(monkeypatch, tasks.DetectionModel, "__init__", first_pass._init)


def first_pass_is_made_elsewhere(monkeypatch):
    monkeypatch.setattr(first_pass, "_init", lambda self, *args, **kwargs: None)


RED = (
    AttentionError,
    AttributeError,
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
    (parse, parse_knows_another_ghost),
    (first_pass, first_pass_is_not_reached),
    (first_pass, first_pass_is_made_elsewhere),
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
