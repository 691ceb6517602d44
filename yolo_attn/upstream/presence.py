"""Seam: EncNet's semantic-encoding loss, which asks each context vector which classes are in the image.

Zhang et al., "Context Encoding for Semantic Segmentation", CVPR 2018, section 3.1: binary cross-entropy of a linear
classifier on the encoding against the presence of each class. Here the classes of the image's labels.

The classifier is a matter of training alone. It is attached when a trainer has built its model, so that the optimizer
and DDP know it, and `EncNet` leaves it out of every copy of itself: the EMA, validation, checkpoints and exports. It
keeps what it said in a forward pass until the loss of that step takes it, whoever ran the pass: the model's own `loss`,
the trainer where the model is compiled, or a distillation.
"""

import functools
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import torch
from torch import nn
from ultralytics.engine.trainer import BaseTrainer
from ultralytics.nn import tasks
from ultralytics.nn.tasks import BaseModel, DetectionModel, RTDETRDetectionModel
from ultralytics.utils import DEFAULT_CFG_DICT, LOGGER

from yolo_attn.errors import AttentionError
from yolo_attn.nn import EncNet
from yolo_attn.upstream import releases
from yolo_attn.upstream.ownership import PREFIX

TASKS = ("detect", "segment", "pose", "obb")  # whose labels are classes of an image
TEXTS = releases.classes(tasks, "WorldModel", "YOLOEModel")  # whose class numbers mean another text in every image
LOSS_NAME = "se_loss"
_setup_model, _loss, _rtdetr_loss = BaseTrainer.setup_model, BaseModel.loss, RTDETRDetectionModel.loss


class Presence(nn.Linear):
    """The classifier of one encoder: `(N, C)` → `(N, classes)`. `said` is what it said last, until a loss takes it.

    `said` hangs on the graph of its step. As no copy or pickle of an encoder has its classifier, none meets it.
    """

    said: torch.Tensor | None = None

    def forward(self, encoding: torch.Tensor) -> torch.Tensor:
        self.said = super().forward(encoding)
        return self.said

    def take(self) -> torch.Tensor | None:
        said, self.said = self.said, None
        return said


@functools.wraps(_setup_model)
def setup_model(self, *args, **kwargs):
    checkpoint = _setup_model(self, *args, **kwargs)
    model = getattr(self.model, "student_model", self.model)  # a distillation that is resumed comes wrapped
    if isinstance(model, nn.Module) and encoders(model):
        if self.args.task in TASKS and isinstance(model, DetectionModel) and not isinstance(model, TEXTS):
            attach(model, self.data["nc"])
            self.add_callback("on_train_batch_end", say_if_missing)
            LOGGER.info(
                f"yolo_attn: {LOSS_NAME} is EncNet's loss on the classes present, a part of training alone: "
                f"val/{LOSS_NAME} stays 0"
            )
        else:
            LOGGER.warning(
                f"yolo_attn: EncNet trains without its semantic-encoding loss in a {type(model).__name__} of task "
                f"{self.args.task}, whose labels do not say which classes are in an image"
            )
    return checkpoint


def encoders(model: nn.Module) -> list[EncNet]:
    """Returns every EncNet of `model` that has a loss weight."""
    return [m for m in model.modules() if isinstance(m, EncNet) and m.loss_weight]


def attach(model: nn.Module, classes: int) -> None:
    """Gives every EncNet of `model` that has a loss weight a classifier of `classes`."""
    for encoder in encoders(model):
        encoder.presence = Presence(encoder.channels, classes)


def say_if_missing(trainer: Any) -> None:
    """Says after the first batch that the loss did not count, where a trainer has a way of its own to compute it."""
    left = [m for m in encoders(trainer.model) if isinstance(m.presence, Presence) and m.presence.said is not None]
    if left or (isinstance(trainer.loss_items, dict) and LOSS_NAME not in trainer.loss_items):
        LOGGER.warning(
            "yolo_attn: EncNet's semantic-encoding loss does not count: this training computes its loss otherwise than "
            "by the model's own loss()"
        )
    elif not isinstance(trainer.loss_items, dict):
        LOGGER.info(f"yolo_attn: {LOSS_NAME} counts, but this ultralytics has no column for a further loss in its log")
    waiting = trainer.callbacks["on_train_batch_end"]
    trainer.callbacks["on_train_batch_end"] = [callback for callback in waiting if callback is not say_if_missing]


def with_presence(original: Callable) -> Callable:
    """Returns a model's `loss` with the semantic-encoding loss added in training."""

    @functools.wraps(original)
    def loss(self, batch, preds=None):
        total, items = original(self, batch, preds)
        said = [(m, m.presence.take()) for m in encoders(self) if isinstance(m.presence, Presence)]
        parts = [encoder.loss_weight * cross_entropy(logits, batch) for encoder, logits in said if logits is not None]
        if not self.training or not parts:
            return total, items
        added = torch.stack(parts).sum()
        # The losses of YOLO are sums over the images of a batch, their columns in the log means; RT-DETR's are means.
        images = 1 if isinstance(self, RTDETRDetectionModel) else len(batch["img"])
        if isinstance(items, dict):
            return torch.cat((total.flatten(), (added * images).view(1))), {**items, LOSS_NAME: added.detach()}
        return total + added * images / total.numel(), items  # up to 8.4.100 the log has a fixed number of parts

    return loss


loss, rtdetr_loss = with_presence(_loss), with_presence(_rtdetr_loss)


def cross_entropy(logits: torch.Tensor, batch: dict) -> torch.Tensor:
    """Returns the binary cross-entropy of `logits`, `(N, classes)`, against what each image of `batch` holds."""
    target = presence_of(batch["batch_idx"], batch["cls"], logits)
    return nn.functional.binary_cross_entropy_with_logits(logits.float(), target)


def presence_of(image: torch.Tensor, classes: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """Returns which classes each image holds, `(N, classes)` of 0 and 1, from each label's `image` and class."""
    target = torch.zeros(like.shape, device=like.device)
    target[image.long().flatten().to(like.device), classes.long().flatten().to(like.device)] = 1
    return target


def install() -> None:
    """Lets the trainer attach the classifiers, and the model add their loss."""
    BaseTrainer.setup_model, BaseModel.loss, RTDETRDetectionModel.loss = setup_model, loss, rtdetr_loss


def uninstall() -> None:
    """Puts the methods back."""
    BaseTrainer.setup_model, BaseModel.loss, RTDETRDetectionModel.loss = _setup_model, _loss, _rtdetr_loss


def canary() -> None:
    """Takes the loss of a detector on one box, with and without a classifier that knows nothing.

    Raises:
        AttentionError: The two do not differ by what such a classifier's loss is.
    """
    encoder = [-1, 1, PREFIX + "EncNet", [{"codes": 2, "loss_weight": 0.5}]]
    rows = [[-1, 1, "Conv", [8, 3, 8]], encoder, [-1, 1, "Conv", [8, 3, 2]]]
    head = [[[1, 2], 1, "Detect", ["nc"]]]  # of two levels, as 8.4.0 asks for the second one's stride
    model: Any = DetectionModel({"nc": 3, "backbone": rows, "head": head}, verbose=False)
    model.args = SimpleNamespace(**DEFAULT_CFG_DICT)
    box = {"batch_idx": torch.zeros(1), "cls": torch.ones(1, 1), "bboxes": torch.full((1, 4), 0.5)}
    batch = {"img": torch.zeros(2, 3, 64, 64), **box}
    model.train()
    without, _ = model.loss(batch)
    attach(model, 3)
    for parameter in model.model[1].presence.parameters():
        nn.init.zeros_(parameter)
    expected = without.sum() + 2 * 0.5 * torch.tensor(2.0).log()  # in a batch of two
    for handed_in in (False, True):
        total, items = model.loss(batch, model(batch["img"]) if handed_in else None)
        if not torch.allclose(total.sum(), expected) or (isinstance(items, dict) and LOSS_NAME not in items):
            raise AttentionError("the training loss of this ultralytics does not take a further part")
