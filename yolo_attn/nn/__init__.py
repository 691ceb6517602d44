"""The attention operators: one paper, one file."""

from yolo_attn.nn.base import Attention, Deployed
from yolo_attn.nn.cbam import CBAM
from yolo_attn.nn.coordatt import CoordAtt
from yolo_attn.nn.eca import ECA
from yolo_attn.nn.gam import GAM
from yolo_attn.nn.se import SE

__all__ = ["CBAM", "ECA", "GAM", "SE", "Attention", "CoordAtt", "Deployed"]


def modules() -> list[type]:
    """Returns every module class this package defines: what a checkpoint may name."""
    import sys

    from torch import nn

    files = [module for name, module in sys.modules.items() if name.startswith("yolo_attn.nn.")]
    return [
        value
        for file in files
        for value in vars(file).values()
        if isinstance(value, type) and issubclass(value, nn.Module) and value.__module__ == file.__name__
    ]
