"""The attention operators: one paper, one file. In this order tables and messages name them."""

# isort: off
from yolo_attn.nn.base import Attention as Attention, Deployed as Deployed, Transform as Transform
from yolo_attn.nn.info import AttentionInfo as AttentionInfo
from yolo_attn.nn.gam import GAM as GAM
from yolo_attn.nn.cbam import CBAM as CBAM
from yolo_attn.nn.eca import ECA as ECA
from yolo_attn.nn.coordatt import CoordAtt as CoordAtt
from yolo_attn.nn.se import SE as SE
from yolo_attn.nn.bam import BAM as BAM
from yolo_attn.nn.triplet import TripletAttention as TripletAttention
from yolo_attn.nn.gsop import GSoP as GSoP
from yolo_attn.nn.srm import SRM as SRM
from yolo_attn.nn.gct import GCT as GCT
from yolo_attn.nn.fca import FcaNet as FcaNet
from yolo_attn.nn.encnet import EncNet as EncNet
from yolo_attn.nn.biattention import BiAttention as BiAttention
from yolo_attn.nn.nonlocal_ import NonLocal as NonLocal
from yolo_attn.nn.ema import EMA as EMA
from yolo_attn.nn.simam import SimAM as SimAM
from yolo_attn.nn.shuffle import ShuffleAttention as ShuffleAttention
from yolo_attn.nn.nam import NAM as NAM
from yolo_attn.nn.sk import SK as SK
from yolo_attn.nn.lska import LSKA as LSKA
from yolo_attn.nn.mlca import MLCA as MLCA
from yolo_attn.nn.ela import ELA as ELA


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
