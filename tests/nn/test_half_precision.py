"""Under autocast to float16 an operator survives whatever features the network around it survives."""

import pytest
import torch
from ultralytics.nn.modules import Bottleneck, Conv

from yolo_attn import registry

CHANNELS = 64
FEATURES = {  # of a map, in units of its largest
    "around zero": lambda x: 2 * x - 1,
    "above zero": lambda x: x,
    "one value": torch.ones_like,
}
SIZES = (1e3, 1e4, 3e4, 6e4)
UNBOUNDED = {"LSKA": 50}  # the gate is as large as its map, as the docstring says


def survives(build, features, size: float, training: bool, seed: int = 0) -> bool:
    """Tells whether a module as it is built stays finite on a map of features up to `size`."""
    torch.manual_seed(seed)
    module = build().train(training)
    x = features(torch.rand(2, CHANNELS, 20, 20)) * size
    with torch.no_grad(), torch.autocast("cpu", torch.float16):
        return bool(module(x.half()).isfinite().all())


@pytest.mark.parametrize("training", [False, True], ids=["evaluation", "training"])
@pytest.mark.parametrize("kind", FEATURES)
def test_what_the_network_survives(kind, training):
    """The blocks of every base go as far as 30,000, and no further than half precision itself."""
    for block in (lambda: Conv(CHANNELS, CHANNELS, 3), lambda: Bottleneck(CHANNELS, CHANNELS)):
        found = [all(survives(block, FEATURES[kind], size, training, seed) for seed in range(3)) for size in SIZES]
        assert found == [True, True, True, False]


@pytest.mark.parametrize("training", [False, True], ids=["evaluation", "training"])
@pytest.mark.parametrize("kind", FEATURES)
@pytest.mark.parametrize("name", registry.names())
def test_an_operator_survives_as_much(name, kind, training):
    limit = UNBOUNDED.get(name, 6e4)
    for size in (size for size in (30, *SIZES) if size < limit):
        for seed in range(3):
            assert survives(lambda: registry.get(name).cls(CHANNELS), FEATURES[kind], size, training, seed), size


@pytest.mark.parametrize("name", UNBOUNDED)
def test_one_that_cannot_says_from_which_size_on(name):
    assert f"from features of some {UNBOUNDED[name]} on" in " ".join(registry.get(name).cls.__doc__.split())
    assert not survives(lambda: registry.get(name).cls(CHANNELS), FEATURES["above zero"], 3e4, False)
