"""Seam: `model.fuse()` also turns attention into its deploy form, as it folds batch norms into convolutions.

Attention that was trained for INT8 stays as it is, as do Ultralytics' own merged branches: the ranges that it learnt
are of its layers, not of the deploy form's.
"""

import functools

import torch
from torch import nn
from ultralytics.nn.tasks import BaseModel

from yolo_attn.errors import AttentionError
from yolo_attn.nn import ECA, Attention, own
from yolo_attn.nn.base import operators

_fuse, _is_fused = BaseModel.fuse, BaseModel.is_fused
LAYER_ATTRIBUTES = ("i", "f", "type")  # what parse_model writes on a layer, and the forward pass reads


def deploy_attention(model: nn.Module) -> None:
    """Replaces every attention operator within `model` by its deploy form, in place."""
    for path, operator in operators(model).items():
        if isinstance(operator, Attention) and is_deployable(operator):
            parent, _, name = path.rpartition(".")
            deployed = own.DeployedOwn(operator) if operator.registered else operator.deploy()
            replace(model.get_submodule(parent), name, deployed)


def is_deployable(module: nn.Module) -> bool:
    """Tells whether a module is attention that its deploy form can stand for: no quantizer is in it."""
    return isinstance(module, Attention) and not any(type(m).__name__ == "TensorQuantizer" for m in module.modules())


def replace(parent: nn.Module, name: str, deployed: nn.Module) -> None:
    """Puts `deployed` in the place of the attention operator called `name` in `parent`."""
    operator = parent.get_submodule(name)
    for attribute in LAYER_ATTRIBUTES:
        if hasattr(operator, attribute):
            setattr(deployed, attribute, getattr(operator, attribute))
    if hasattr(operator, "np"):
        deployed.np = sum(p.numel() for p in deployed.parameters())  # type: ignore[assignment]
    setattr(parent, name, deployed)


@functools.wraps(_fuse)
def fuse(self, *args, **kwargs):
    # Attention first: Ultralytics' fuse prints the summary of the fused model at its end.
    deploy_attention(self)
    return _fuse(self, *args, **kwargs)


@functools.wraps(_is_fused)
def is_fused(self, *args, **kwargs):
    return _is_fused(self, *args, **kwargs) and not any(map(is_deployable, operators(self).values()))


def install() -> None:
    """Lets `fuse()` and `is_fused()` know attention."""
    BaseModel.fuse, BaseModel.is_fused = fuse, is_fused


def uninstall() -> None:
    """Puts both methods back."""
    BaseModel.fuse, BaseModel.is_fused = _fuse, _is_fused


def canary() -> None:
    """Fuses a model of one attention layer and compares its outputs.

    Raises:
        AttentionError: The model is not fused, or its output has changed.
    """
    model = BaseModel()
    model.model = nn.Sequential(ECA(8)).eval()
    x = torch.linspace(-1, 1, 8 * 6).view(1, 8, 2, 3)
    before = model.model(x)
    was_fused = model.is_fused()
    model.fuse(verbose=False)
    if was_fused or not model.is_fused() or not torch.allclose(before, model.model(x), atol=1e-5):
        raise AttentionError("fuse() of this ultralytics does not reach the attention layers")
