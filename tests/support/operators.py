"""The operators under test, with the options that change their mathematics."""

import torch

from yolo_attn import registry
from yolo_attn.contract import case
from yolo_attn.contract.broken import require_close
from yolo_attn.contract.case import Case
from yolo_attn.nn import Attention

FURTHER = {  # beside the defaults
    "GAM": [
        {"reduction": 8},
        {"groups": 4},
        {"channel_sigmoid": False},
        {"rank": 3},
        {"rank": True},
        {"depthwise": True},
    ],
    "CBAM": [{"reduction": 8, "kernel_size": 3}],
    "ECA": [{"kernel_size": 7}],
    "CoordAtt": [{"reduction": 4}],
    "SE": [{"bias": False}],
    "BAM": [{"reduction": 4, "dilation": 2}, {"product": True}],
    "TripletAttention": [{"kernel_size": 3}, {"spatial": False}],
    "GSoP": [{"dimension": 8}, {"position": True}],
    "GCT": [{"l1": True}],
    "FcaNet": [{"frequencies": 4, "reduction": 4}, {"size": 14}],
    "EncNet": [{"codes": 8}],
    "BiAttention": [{"reduction": 4}],
    "NonLocal": [{"reduction": 4}],
    "EMA": [{"groups": 8}],
    "SimAM": [{"e_lambda": 0.01}],
    "ShuffleAttention": [{"groups": 2}],
    "SK": [{"branches": 3, "groups": 8, "hidden": 8}],
    "LSKA": [{"kernel_size": 11}, {"kernel_size": 23}],
    "MLCA": [{"local_size": 3, "local_weight": 0.25}],
    "ELA": [{"kernel_size": 5, "norm_groups": 32}, {"width": 8}],
}
OPTIONS = {name: [{}, *FURTHER.get(name, [])] for name in registry.names()}
CASES = [(name, options) for name, sets in OPTIONS.items() for options in sets]
IDS = [name + "".join(f"-{key}={value}" for key, value in options.items()) for name, options in CASES]


def make(name: str, options: dict, channels: int = 32, seed: int = 0) -> Attention:
    """Returns an operator in evaluation whose every number differs from its default: nothing cancels by luck."""
    return Case(registry.get(name), options, channels).module(seed)


def images(batch: int = 2, channels: int = 32, size: tuple[int, int] = (7, 13), seed: int = 1) -> torch.Tensor:
    """Returns the same random maps each time."""
    return case.images(batch, channels, size, seed)


def assert_close(got: torch.Tensor, want: torch.Tensor, dtype: str = "float32") -> None:
    """Compares within the tolerance of `dtype`."""
    require_close(got, want, "it differs", "see above", dtype)
