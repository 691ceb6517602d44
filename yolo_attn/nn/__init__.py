"""The attention operators: one paper, one file."""

from yolo_attn.nn.bam import BAM
from yolo_attn.nn.base import Attention, Deployed
from yolo_attn.nn.biattention import BiAttention
from yolo_attn.nn.cbam import CBAM
from yolo_attn.nn.coordatt import CoordAtt
from yolo_attn.nn.eca import ECA
from yolo_attn.nn.encnet import EncNet
from yolo_attn.nn.fca import FcaNet
from yolo_attn.nn.gam import GAM
from yolo_attn.nn.gct import GCT
from yolo_attn.nn.gsop import GSoP
from yolo_attn.nn.nonlocal_ import NonLocal
from yolo_attn.nn.se import SE
from yolo_attn.nn.srm import SRM
from yolo_attn.nn.triplet import TripletAttention

__all__ = [
    "BAM",
    "CBAM",
    "ECA",
    "GAM",
    "GCT",
    "SE",
    "SRM",
    "Attention",
    "BiAttention",
    "CoordAtt",
    "Deployed",
    "EncNet",
    "FcaNet",
    "GSoP",
    "NonLocal",
    "TripletAttention",
]


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
