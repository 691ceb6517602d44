"""Seam: EncNet's semantic-encoding loss, which asks each context vector which classes are in the image.

Zhang et al., "Context Encoding for Semantic Segmentation", CVPR 2018, section 3.1: binary cross-entropy of a linear
classifier on the encoding against the presence of each class. Here the classes of the image's labels.

The classifier is a matter of training alone. It is attached when a trainer has built its model, so that the optimizer
and DDP know it, and `EncNet` leaves it out of every copy of itself: the EMA, validation, checkpoints and exports.
"""

import contextlib
import functools
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn
from ultralytics.engine.trainer import BaseTrainer
from ultralytics.nn.tasks import BaseModel, DetectionModel, RTDETRDetectionModel
from ultralytics.utils import LOGGER

from yolo_attn.errors import AttentionError
from yolo_attn.nn import EncNet

TASKS = ("detect", "segment")
LOSS_NAME = "se_loss"
_setup_model, _loss = BaseTrainer.setup_model, BaseModel.loss


@functools.wraps(_setup_model)
def setup_model(self, *args, **kwargs):
    checkpoint = _setup_model(self, *args, **kwargs)
    if self.args.task in TASKS and isinstance(self.model, DetectionModel):
        attach(self.model, self.data["nc"], compiled=bool(self.args.compile))
    return checkpoint


def attach(model: nn.Module, classes: int, compiled: bool = False) -> None:
    """Gives every EncNet of `model` that has a loss weight a classifier of `classes`."""
    encoders = [m for m in model.modules() if isinstance(m, EncNet) and m.loss_weight]
    if encoders and (compiled or isinstance(model, RTDETRDetectionModel)):
        LOGGER.warning("yolo_attn: EncNet trains without its semantic-encoding loss under compile=… and in RT-DETR")
        return
    for encoder in encoders:
        encoder.presence = nn.Linear(encoder.channels, classes)


@functools.wraps(_loss)
def loss(self, batch, preds=None):
    encoders = [m for m in self.modules() if isinstance(m, EncNet) and m.presence is not None] if self.training else []
    if not encoders or preds is not None:
        return _loss(self, batch, preds)
    with presence_logits(encoders) as logits:
        total, items = _loss(self, batch, preds)
    target = presence_of(batch["batch_idx"], batch["cls"], logits[0])
    added = torch.zeros((), device=target.device)
    for encoder, logit in zip(encoders, logits, strict=True):
        added = added + encoder.loss_weight * nn.functional.binary_cross_entropy_with_logits(logit.float(), target)
    # Ultralytics' losses are sums over the images of a batch, their columns in the log means.
    return torch.cat((total.flatten(), (added * len(target)).view(1))), {**items, LOSS_NAME: added.detach()}


@contextlib.contextmanager
def presence_logits(encoders: list[EncNet]) -> Iterator[list[torch.Tensor]]:
    """Collects what the classifiers say during a forward pass, `(N, classes)` each, in the order of `encoders`."""
    logits: list[torch.Tensor] = []
    hooks = [
        encoder.presence.register_forward_hook(lambda _, __, output: logits.append(output))
        for encoder in encoders
        if encoder.presence is not None
    ]
    try:
        yield logits
    finally:
        for hook in hooks:
            hook.remove()


def presence_of(image: torch.Tensor, classes: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """Returns which classes each image holds, `(N, classes)` of 0 and 1, from each label's `image` and class."""
    target = torch.zeros(like.shape, device=like.device)
    target[image.long().flatten().to(like.device), classes.long().flatten().to(like.device)] = 1
    return target


def install() -> None:
    """Lets the trainer attach the classifiers, and the model add their loss."""
    BaseTrainer.setup_model, BaseModel.loss = setup_model, loss


def uninstall() -> None:
    """Puts both methods back."""
    BaseTrainer.setup_model, BaseModel.loss = _setup_model, _loss


def canary() -> None:
    """Adds the loss to a model whose own loss is known.

    Raises:
        AttentionError: Another sum came out.
    """
    model: Any = BaseModel().train()
    model.model = nn.Sequential(EncNet(8, codes=2, loss_weight=0.5))
    attach(model, 3)
    for parameter in model.model[0].presence.parameters():
        nn.init.zeros_(parameter)
    model.criterion = lambda preds, batch: (preds.sum().view(1) * 0, {"box_loss": torch.zeros(())})
    batch = {"img": torch.zeros(2, 8, 1, 1), "batch_idx": torch.zeros(1), "cls": torch.ones(1, 1)}
    with contextlib.suppress(AttributeError):  # a model of one layer needs no rows to be read
        model.model[0].i, model.model[0].f = 0, -1
    model.save = []
    total, items = model.loss(batch)
    expected = 0.5 * torch.tensor(2.0).log()  # of a classifier that knows nothing, in a batch of two
    if list(items) != ["box_loss", LOSS_NAME] or not torch.allclose(total.sum(), 2 * expected):
        raise AttentionError("the training loss of this ultralytics does not take a further part")
