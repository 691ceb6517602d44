"""One validation for many variants of a network: itself, and itself with some of its attention switched off.

Ultralytics' own validator of the task reads the data, runs the network and measures it: what it says is what `yolo val`
says. After each batch, of every variant the rows run again that a switched-off layer changes, and a validator of its
own measures it.
"""

import contextlib
import copy
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ultralytics import YOLO

from yolo_attn.errors import AttentionError
from yolo_attn.evidence import dataset
from yolo_attn.evidence.bootstrap import Answers, Detections, Outcome
from yolo_attn.evidence.layers import attention, off, row
from yolo_attn.evidence.options import AblateOptions, SlimOptions
from yolo_attn.evidence.replay import Replay
from yolo_attn.evidence.spread import Spread, Watch, watched

TASKS = ("detect", "segment", "pose", "obb", "classify")
KEPT = ("tp", "conf", "pred_cls", "target_cls")  # of the statistics that validators gather


@dataclass
class Measured:
    """What one variant came to: mAP50-95 of the boxes or top-1 accuracy, of each class too, and image by image."""

    accuracy: float
    classes: dict[int, float]
    outcome: Outcome


@dataclass
class Validation:
    """Each variant's measure by its name, that of the whole network as "", and the spread of each layer's gates."""

    measured: dict[str, Measured]
    spreads: dict[str, Spread | None]
    names: dict[int, str]


def check_data(model: YOLO, data: str, split: str) -> None:
    """Looks for the data set before anything is done.

    Raises:
        AttentionError: It is not there, or has no such split, or is of no task that is measured here.
    """
    if model.task not in TASKS:
        raise AttentionError(f"{', '.join(TASKS)} are measured here, and this model is for {model.task}")
    dataset.read(model.task, data, split)


def arguments(options: AblateOptions | SlimOptions) -> dict[str, Any]:
    """Returns the arguments of `yolo val` that a command was told."""
    given: dict[str, Any] = {"data": options.data, "batch": options.batch, "split": options.split}
    given |= {"imgsz": options.imgsz} if options.imgsz else {}
    return given | ({"device": options.device} if options.device else {})


def measure(model: YOLO) -> str:
    """Returns what is measured of a model."""
    return "top-1" if model.task == "classify" else "mAP50-95"


def validate(model: YOLO, variants: Mapping[str, list[str]], **given) -> Validation:
    """Validates a network and its variants in one pass over the data.

    Args:
        model: The network as it was trained.
        variants: The paths of the layers that are off in each variant, by the variant's name.
        given: The arguments of `yolo val`.

    Raises:
        AttentionError: This release of Ultralytics keeps no statistics of single images.
    """
    trained: Any = model.model
    stock: Any = model.task_map[str(model.task)]["validator"]
    gates = {path: list(layer.gates) for path, layer in attention(trained).items()}
    made: list[Any] = []

    class WithVariants(stock):
        """The task's validator, which has another for each variant, with the data and the network in common."""

        def __init__(self, **settings):
            super().__init__(save_dir=Path(folder), **settings)
            made.append(self)

        def init_metrics(self, network):
            super().init_metrics(network)
            self.run, self.network = network, network.model
            self.replay = Replay(self.network, [set(map(row, paths)) for paths in variants.values()])
            self.twins = {name: twin(self, stock, network) for name in variants}
            self.watches = opened.enter_context(all_watched(self.network, gates))
            self.seen_before, self.outcomes = 0, {"": Gathered(), **{name: Gathered() for name in variants}}

        def update_metrics(self, preds, batch):
            self.outcomes[""].add(self, stock, preds, batch, self.seen_before)
            with paused(self.watches):
                for name, paths in variants.items():
                    layers = [self.network.get_submodule(path) for path in paths]
                    with all_off(layers), self.replay.only(set(map(row, paths))):
                        preds = self.postprocess(self.run(batch["img"]))
                    self.outcomes[name].add(self.twins[name], stock, preds, batch, self.seen_before)
            self.seen_before += len(batch["img"])

        def get_stats(self):
            images = self.seen_before
            results = {name: self.outcomes[name].outcome(one, images) for name, one in self.twins.items()}
            mine = self.outcomes[""].outcome(self, images)
            stats = super().get_stats()
            self.measured = {"": measured(self, mine)}
            for name, one in self.twins.items():
                stock.get_stats(one)
                self.measured[name] = measured(one, results[name])
            return stats

    settings = {"plots": False, "save_json": False, "val": False, **given}  # val would add COCO's own JSON
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as opened:
        model.val(validator=WithVariants, **settings)
        (done,) = made
        spreads = {path: watch.spread() for path, watch in done.watches.items()}
    return Validation(done.measured, spreads, dict(done.names))


def twin(validator: Any, stock: type, network: Any) -> Any:
    """Returns a validator with the settings and data of `validator`, and nothing measured so far."""
    other = copy.copy(validator)
    other.metrics = type(validator.metrics)()
    stock.init_metrics(other, network)  # type: ignore[attr-defined]
    return other


@contextlib.contextmanager
def all_off(layers: list[torch.nn.Module]) -> Iterator[None]:
    """Switches several layers off."""
    with contextlib.ExitStack() as stack:
        for layer in layers:
            stack.enter_context(off(layer))
        yield


@contextlib.contextmanager
def all_watched(network: torch.nn.Module, gates: Mapping[str, list[str]]) -> Iterator[dict[str, Watch]]:
    """Watches the gates of each layer, which are called as given."""
    with contextlib.ExitStack() as stack:
        yield {path: stack.enter_context(watched(network.get_submodule(path), gates[path])) for path in gates}


@contextlib.contextmanager
def paused(watches: Mapping[str, Watch]) -> Iterator[None]:
    """Lets the watches look away: what the gates do in a variant is not what they do in the network."""
    for watch in watches.values():
        watch.paused = True
    try:
        yield
    finally:
        for watch in watches.values():
            watch.paused = False


class Gathered:
    """The image of each of a validator's statistics."""

    def __init__(self) -> None:
        self.images: list[int] = []

    def add(self, validator: Any, stock: Any, preds: Any, batch: dict, first: int) -> None:
        """Lets `validator` measure a batch whose first image is number `first`.

        Raises:
            AttentionError: It keeps no statistics of single images.
        """
        if validator.args.task == "classify":
            stock.update_metrics(validator, preds, batch)
            return
        boxes = preds[0] if isinstance(preds, tuple) else preds  # in 8.3.0 a segmenter's come with its prototypes
        labelled = set(batch["batch_idx"].int().tolist())
        counted = [
            i for i, one in enumerate(boxes) if i in labelled or len(one["conf"] if isinstance(one, dict) else one)
        ]
        before = len(statistics(validator)["tp"])
        stock.update_metrics(validator, preds, batch)
        more = len(statistics(validator)["tp"]) - before
        if more == len(boxes):
            counted = list(range(len(boxes)))
        elif more != len(counted):  # early releases leave an image out that has neither labels nor boxes
            raise AttentionError("this ultralytics keeps no statistics of single images; install a newer one")
        self.images += [first + i for i in counted]

    def outcome(self, validator: Any, images: int) -> Outcome:
        """Returns what came of the validation, image by image."""
        if validator.args.task == "classify":
            first = torch.cat(validator.pred)[:, 0]
            target = torch.cat(validator.targets)
            return Answers((first == target).numpy(), target.numpy())
        each = {name: [np.asarray(one.cpu() if hasattr(one, "cpu") else one) for one in statistics(validator)[name]]
                for name in KEPT}  # fmt: skip
        image = np.array(self.images)
        hit, score, kind, label = (np.concatenate(each[name]) for name in KEPT)
        return Detections(
            images, image.repeat([len(one) for one in each["conf"]]), hit, score, kind,
            image.repeat([len(one) for one in each["target_cls"]]), label,
        )  # fmt: skip


def statistics(validator: Any) -> dict[str, list]:
    """Returns a validator's statistics, a list of what was found in each image; up to 8.3.150 it keeps them itself."""
    return getattr(validator.metrics, "stats", None) or validator.stats


def measured(validator: Any, outcome: Outcome) -> Measured:
    """Returns what a validator came to.

    Raises:
        AttentionError: It measures something else than the draws do, as may be in a release to come.
    """
    overall, each = (one[0] for one in outcome.accuracy(np.ones((1, outcome.images), int)))
    classes = dict(zip(map(int, outcome.classes), map(float, each), strict=True))
    if isinstance(outcome, Detections):
        box = validator.metrics.box
        accuracy = float(box.map)
        classes |= dict(zip(map(int, box.ap_class_index), map(float, box.ap), strict=True))
    else:
        accuracy = float(validator.metrics.top1)
    if abs(accuracy - overall) > 1e-6:
        raise AttentionError(
            f"this ultralytics measures {accuracy:.6f} where its single images come to {overall:.6f}; report it, please"
        )
    return Measured(accuracy, classes, outcome)
