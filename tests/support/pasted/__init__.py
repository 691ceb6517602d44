"""The operators in the form people paste into a clone of Ultralytics today, written anew for comparison.

Tests compare results with them, benchmarks compare speed. They are what this package replaces: whole maps permuted,
adaptive pooling, gates applied one after another. Where the authors' file computes something else than its paper, and
ours follows the paper, the class here says so and computes what ours does.
"""

from torch import nn

from tests.support.pasted.channel import (
    PastedBiAttention,
    PastedECA,
    PastedEncNet,
    PastedFcaNet,
    PastedGCT,
    PastedGSoP,
    PastedSE,
    PastedSRM,
)
from tests.support.pasted.recent import (
    PastedELA,
    PastedEMA,
    PastedLSKA,
    PastedMLCA,
    PastedNAM,
    PastedShuffleAttention,
    PastedSimAM,
    PastedSK,
)
from tests.support.pasted.spatial import (
    PastedBAM,
    PastedCBAM,
    PastedCoordAtt,
    PastedGAM,
    PastedNonLocal,
    PastedTripletAttention,
)

PASTED = {
    "GAM": PastedGAM,
    "CBAM": PastedCBAM,
    "ECA": PastedECA,
    "CoordAtt": PastedCoordAtt,
    "SE": PastedSE,
    "BAM": PastedBAM,
    "TripletAttention": PastedTripletAttention,
    "GSoP": PastedGSoP,
    "SRM": PastedSRM,
    "GCT": PastedGCT,
    "FcaNet": PastedFcaNet,
    "EncNet": PastedEncNet,
    "BiAttention": PastedBiAttention,
    "NonLocal": PastedNonLocal,
    "EMA": PastedEMA,
    "SimAM": PastedSimAM,
    "ShuffleAttention": PastedShuffleAttention,
    "NAM": PastedNAM,
    "SK": PastedSK,
    "LSKA": PastedLSKA,
    "MLCA": PastedMLCA,
    "ELA": PastedELA,
}


def paste(operator: nn.Module) -> nn.Module:
    """Returns the pasted form of one of our operators with the same mathematics and the same weights.

    Both list their parameters in the same order, or the pasted class puts ours in its own by `adopt`; apart from that
    only shapes differ, as a linear layer's weight is a 1×1 convolution's without its last axes.
    """
    name = type(operator).__name__
    options = {key: getattr(operator, key) for key in operator.options()}
    if name == "GAM":
        assert options.pop("groups") == 1, "the pasted file ties groups to the reduction, another network"
        assert not (options.pop("rank") or options.pop("depthwise")), "nobody pastes these forms"
        options["rate"] = options.pop("reduction")
    options.pop("loss_weight", None)  # of EncNet's loss, which is no part of the module
    twin = PASTED[name](operator.channels, **options)
    ours, theirs = list(operator.state_dict().values()), twin.state_dict()
    if hasattr(twin, "adopt"):
        ours = twin.adopt(*ours)
    assert len(ours) == len(theirs)
    if ours:  # SimAM has no numbers
        twin.to(ours[0].device, ours[0].dtype)
    twin.load_state_dict({key: value.reshape(theirs[key].shape) for key, value in zip(theirs, ours, strict=True)})
    return twin.train(operator.training)
