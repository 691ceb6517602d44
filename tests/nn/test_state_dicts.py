"""State dicts under the names of the authors' other files load, alone and in a network, and stay as they are."""

import pytest
import torch
from torch import nn

from tests.support.operators import assert_close, images
from tests.support.pasted import (
    PastedCoordAtt,
    PastedELA,
    PastedEMA,
    PastedLSKA,
    PastedMLCA,
    PastedNAM,
    PastedShuffleAttention,
    PastedSK,
    PastedTripletAttention,
)
from yolo_attn.nn import ELA, EMA, LSKA, MLCA, NAM, SK, CoordAtt, ShuffleAttention, TripletAttention

# The authors' older file, MODELS/triplet_attention.py, and their mbv2_ca.py.
OLDER_TRIPLET = {"cw.": "ChannelGateH.spatial.", "hc.": "ChannelGateW.spatial.", "hw.": "SpatialGate.spatial."}
MBV2 = {"conv_h.": "conv2.", "conv_w.": "conv3."}


def renamed(state: dict, names: dict[str, str]) -> dict:
    for ours, theirs in names.items():
        state = {theirs + k.removeprefix(ours) if k.startswith(ours) else k: v for k, v in state.items()}
    return state


def older_triplet(module: PastedTripletAttention) -> dict:
    return {key.replace(".norm.", ".bn."): value for key, value in renamed(module.state_dict(), OLDER_TRIPLET).items()}


FILES = {
    "mbv2_ca": (PastedCoordAtt(32), CoordAtt, {}, lambda module: renamed(module.state_dict(), MBV2)),
    "older triplet": (PastedTripletAttention(32), TripletAttention, {}, older_triplet),
    "older triplet, no_spatial": (
        PastedTripletAttention(32, spatial=False), TripletAttention, {"spatial": False}, older_triplet,
    ),
    "NAM": (PastedNAM(32), NAM, {}, lambda module: module.state_dict(prefix="Channel_Att.")),
    "NAM, the part alone": (PastedNAM(32), NAM, {}, nn.Module.state_dict),
    **{
        cls.__name__: (pasted(32), cls, {}, nn.Module.state_dict)
        for pasted, cls in (
            (PastedEMA, EMA), (PastedShuffleAttention, ShuffleAttention), (PastedSK, SK), (PastedLSKA, LSKA),
            (PastedMLCA, MLCA), (PastedELA, ELA),
        )
    },
}  # fmt: skip


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("prefix", ["", "3."])
@pytest.mark.parametrize("training", [False, True], ids=["eval", "train"])
def test_other_names_load(file, prefix, training):
    theirs, cls, options, state_dict = FILES[file]
    torch.manual_seed(0)
    for tensor in theirs.state_dict().values():
        if tensor.is_floating_point():
            tensor.copy_(torch.rand(tensor.shape) + 0.1)
    ours = cls(32, **options)
    network = nn.Sequential(*map(nn.Identity, range(3)), ours) if prefix else ours
    state = {prefix + key: value for key, value in state_dict(theirs).items()}
    names = list(state)
    network.load_state_dict(state, strict=True)
    assert list(state) == names
    assert_close(ours.train(training)(images()), theirs.train(training)(images()))


def test_a_name_that_is_nobodys_is_still_refused():
    state = {**CoordAtt(32).state_dict(), "conv4.weight": torch.zeros(1)}
    with pytest.raises(RuntimeError, match="conv4"):
        CoordAtt(32).load_state_dict(state)


def test_another_shape_is_still_refused():
    state = {**CoordAtt(32).state_dict(), "conv1.weight": torch.zeros(32, 8)}
    with pytest.raises(RuntimeError, match="size mismatch for conv1"):
        CoordAtt(32).load_state_dict(state)
