"""Attention in circulation that is not in this package: one line each, which goes when the operator comes.

Who writes the name of one of these is told which of ours is nearest in kind, and not which is nearest in letters.
"""

from typing import NamedTuple

BOTH, CHANNEL, SPATIAL, BRANCH = "channel and spatial", "channel", "spatial", "branch"


class Other(NamedTuple):
    """An operator that is not here.

    Attributes:
        name: What it is called.
        kind: As in `AttentionInfo`.
        nearest: The operators of this package that are nearest in kind.
        aliases: Other names of it in people's rows.
    """

    name: str
    kind: str
    nearest: tuple[str, ...]
    aliases: tuple[str, ...] = ()


# fmt: off
OTHERS = (
    Other("LSK", SPATIAL, ("GAM", "NonLocal"), ("LSKBlock", "LSKAttention", "LSKModule")),
    Other("LKA", SPATIAL, ("GAM", "NonLocal"), ("LargeKernelAttention", "LKABlock", "deformable_LKA", "DLKA")),
    Other("MPCA", BOTH, ("CoordAtt",), ("MultiPathCoordinateAttention",)),
    Other("CAA", SPATIAL, ("CoordAtt",), ("ContextAnchorAttention",)),
    Other("CPCA", BOTH, ("CBAM",), ("ChannelPriorConvolutionalAttention",)),
    Other("SCSA", BOTH, ("CBAM", "CoordAtt")),
    Other("scSE", BOTH, ("CBAM", "BAM"), ("scSEAttention", "SpatialChannelSE", "ChannelSpatialSE")),
    Other("MCA", BOTH, ("TripletAttention",), ("MCALayer", "MultidimensionalCollaborativeAttention")),
    Other("SGE", BOTH, ("BAM", "CBAM"), ("SpatialGroupEnhance", "SpatialGroupEnhanceAttention")),
    Other("ChannelAttention", CHANNEL, ("SE", "CBAM"), ("ChannelAttentionModule", "ChannelGate")),
    Other("SpatialAttention", SPATIAL, ("CBAM",), ("SpatialAttentionModule", "SpatialGate")),
    Other("RCAN's channel attention", CHANNEL, ("SE",), ("CALayer", "CAModule")),
    Other("EffectiveSE", CHANNEL, ("SE",), ("EffectiveSEModule", "EffectiveSELayer", "eSE", "eSEModule")),
    Other("AFGCAttention", CHANNEL, ("ECA", "SE"), ("AFGC", "FCAttention")),
    Other("SEAM", CHANNEL, ("SE",), ("MultiSEAM", "SEAMAttention")),
    Other("EPSA", CHANNEL, ("SE",), ("PyramidSplitAttention", "EPSABlock", "PSAModule")),
    Other("ParNetAttention", CHANNEL, ("SE",), ("ParNet", "ParNetBlock")),
    Other("SplitAttention", BRANCH, ("SE",), ("SplitAttn", "SplAtConv2d")),
    Other("S2Attention", BRANCH, ("SE",), ("S2MLPv2",)),
    Other("GlobalContext", BOTH, ("NonLocal", "SE"), ("GC", "GCBlock", "GCNet", "GlobalContextBlock", "ContextBlock")),
    Other("GatherExcite", CHANNEL, ("SE",), ("GE", "GENet")),
    Other("LCT", CHANNEL, ("GCT", "SRM"), ("LCTAttention", "LinearContextTransform")),
    Other("GaussianContext", CHANNEL, ("GCT", "SRM"), ("GaussianCT", "GaussianContextTransformer")),
    Other("SOCA", CHANNEL, ("GSoP",)),
    Other("RGA", BOTH, ("NonLocal",), ("RelationAwareGlobalAttention", "RGA_Module")),
    Other("PolarizedSelfAttention", BOTH, ("NonLocal", "CBAM"),
          ("PSA", "PSA_p", "PSA_s", "SequentialPolarizedSelfAttention", "ParallelPolarizedSelfAttention")),
    Other("DualAttention", BOTH, ("NonLocal",), ("DANet", "DAModule", "DANetModule", "DANetHead")),
    Other("CrissCrossAttention", SPATIAL, ("NonLocal",), ("CrissCross", "CCNet", "CCAttention", "RCCAModule")),
    Other("DoubleAttention", SPATIAL, ("NonLocal",), ("DoubleAtten", "A2Attention", "A2Net", "A2Block")),
    Other("MHSA", SPATIAL, ("NonLocal",), ("MultiHeadSelfAttention", "MultiheadAttention", "BoTNet")),
    Other("BiFormer", SPATIAL, ("NonLocal",),
          ("BiLevelRoutingAttention", "BiLevelRoutingAttention_nchw", "BRA", "BiFormerBlock", "BiFormerAttention")),
    Other("DAttention", SPATIAL, ("NonLocal",), ("DAT", "DeformableAttention", "DAttentionBaseline", "DAttn")),
    Other("FocalModulation", SPATIAL, ("NonLocal",), ("FocalModulationBlock",)),
    Other("ACmix", SPATIAL, ("NonLocal",), ("ACmixAttention", "ACmixBlock")),
    Other("CAFM", BOTH, ("NonLocal", "CBAM"), ("CAFMAttention", "ConvolutionAndAttentionFusion")),
    Other("OutlookAttention", SPATIAL, ("NonLocal",), ("OutlookAttn", "Outlooker")),
    Other("EfficientAttention", SPATIAL, ("NonLocal",), ("EffAttention", "EfficientAttn")),
    Other("CloAttention", SPATIAL, ("NonLocal",), ("CloAtt", "CloFormer", "CloFormerAttnConv")),
    Other("ResidualAttention", BOTH, ("CBAM", "BAM"), ("CSRA", "ResidualAtt")),
    Other("CoTAttention", SPATIAL, ("NonLocal",), ("CoT", "CoT3", "CoTNet", "CoTBlock", "ContextualTransformer")),
    Other("ExternalAttention", SPATIAL, ("NonLocal",), ("EANet", "ExternalAttn")),
    Other("AxialAttention", SPATIAL, ("NonLocal", "CoordAtt"), ("AxialAttn",)),
    Other("StripPooling", SPATIAL, ("CoordAtt",), ("SPNet", "StripPool", "StripPoolingAttention")),
    Other("HaloAttention", SPATIAL, ("NonLocal",), ("HaloAttn", "HaloNet")),
    Other("MobileViTAttention", SPATIAL, ("NonLocal",), ("MobileViT", "MobileViTv2Attention", "MobileViTBlock")),
    Other("MSCA", SPATIAL, ("GAM", "NonLocal"), ("MSCAAttention", "SegNext_Attention", "MSCAN")),
    Other("MSDA", SPATIAL, ("NonLocal",), ("MultiDilateLocalAttention", "DilateAttention", "DilateFormer")),
    Other("HiLo", SPATIAL, ("NonLocal",), ("HiLoAttention",)),
    Other("EMSA", SPATIAL, ("NonLocal",)),
    Other("EMAU", SPATIAL, ("NonLocal",), ("EMANet", "EMAUnit", "ExpectationMaximizationAttention")),
    Other("AFT", SPATIAL, ("NonLocal",), ("AFT_FULL", "AttentionFreeTransformer")),
    Other("UFOAttention", SPATIAL, ("NonLocal",)),
    Other("MUSEAttention", SPATIAL, ("NonLocal",)),
    Other("LocalWindowAttention", SPATIAL, ("NonLocal",), ("CascadedGroupAttention", "CGA", "WindowAttention")),
    Other("LinearAttention", SPATIAL, ("NonLocal",), ("FocusedLinearAttention", "MLLAttention", "MLLABlock")),
    Other("AggregatedAttention", SPATIAL, ("NonLocal",), ("TransNeXt_AggregatedAttention", "AggregatedAtt")),
    Other("AgentAttention", SPATIAL, ("NonLocal",), ("AgentAttn",)),
    Other("SwinTransformer", SPATIAL, ("NonLocal",), ("SwinTransformerBlock",)),
)
# fmt: on
