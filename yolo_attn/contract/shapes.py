"""Maps of every size come out as they went in: shape, dtype and finite numbers."""

from typing import Any

import torch

from yolo_attn.contract.broken import Broken, require, shape_text, trying
from yolo_attn.contract.case import Case, images
from yolo_attn.errors import brief

ORDINARY, ODD, STRIPS, PIXEL = (20, 20), (7, 13), [(1, 7), (7, 1)], (1, 1)
SIZES = [PIXEL, *STRIPS, ODD, ORDINARY]
WIDTHS = (8, 24, 64, 100, 512)
NO_NUMBERS: tuple[Any, ...] = ("c2", 0, -4, 1.5, True, None)


def check_builds(case: Case) -> None:
    """It is built from channels and options."""
    with trying(f"on {case.channels} channels its constructor fails", "let it take them, or say others: channels=256"):
        case.fresh()


def check_map(case: Case) -> None:
    """A map of 20×20 keeps its shape and dtype, in training and evaluation."""
    keeps(case, [ORDINARY], "forward takes one map (N, C, H, W) and returns one of its shape and dtype, on its device")


def check_odd_map(case: Case) -> None:
    """A map of 7×13 keeps its shape and dtype."""
    keeps(case, [ODD], "take H and W from x.shape in forward; keep them by padding=kernel_size // 2 and stride 1")


def check_strips(case: Case) -> None:
    """Strips of one row or one column keep their shape."""
    keeps(case, STRIPS, "write squeeze(dim) for squeeze(), and let no kernel or stride exceed the map")


def check_one_pixel(case: Case) -> None:
    """Maps of one pixel keep their shape."""
    keeps(case, [PIXEL], "one pixel has no spread and no neighbours: std needs unbiased=False, kernels need padding")


def check_batch_of_one(case: Case) -> None:
    """A single map trains, down to one pixel, as it comes at the end of an epoch."""
    mend = "one value a channel has no variance: take yolo_attn.nn.layers.BatchNorm2d for nn.BatchNorm2d"
    for size in case.taken(SIZES):
        keep(case, case.images(1, size), True, mend)


def keeps(case: Case, sizes: list[tuple[int, int]], mend: str) -> None:
    """Looks at maps of the sizes, alone and in a batch of three; one alone in training is `check_batch_of_one`."""
    for size in sizes:
        for batch, training in ((1, False), (3, False), (3, True)):
            keep(case, case.images(batch, size), training, mend)


def keep(case: Case, x: torch.Tensor, training: bool, mend: str) -> None:
    """Raises `Broken` unless `x` comes out in its shape and dtype, finite."""
    where = f"on {shape_text(x)} in {'training' if training else 'evaluation'}"
    with trying(where, mend):
        y = case.module().train(training)(x)
        require(isinstance(y, torch.Tensor), f"{where} it returns a {type(y).__name__}", mend)
        require(y.shape == x.shape, f"{where} it returns {shape_text(y)}", mend)
        require(y.dtype == x.dtype, f"{where} it returns {y.dtype}", mend)
        require(y.isfinite().all(), f"{where} its numbers are not finite", mend)


def check_channels(case: Case) -> None:
    """Other numbers of channels fit, or are refused in one line that names the option to set."""
    for channels in WIDTHS:
        said = f"raise a ValueError such as '{case.info.name} cannot halve {channels} channels; set {{groups: 1}}'"
        try:
            module = case.info.cls(channels, **case.options).eval()
        except ValueError as refused:
            text = str(refused)
            helpful = str(channels) in text and "set {" in text and "\n" not in text
            require(helpful, f"{channels} channels are refused without saying what to set ({brief(refused)})", said)
            continue
        except Exception as error:
            raise Broken(f"{channels} channels: {brief(error)}", said) from error
        mend = "build every layer from the constructor's channels"
        with trying(f"{channels} channels", mend):
            y = module(images(2, channels, ODD))
            require(y.shape[1] == channels, f"{channels} channels become {y.shape[1]}", mend)


def check_channels_are_a_number(case: Case) -> None:
    """Channels that are no positive whole number are refused, by name."""
    mend = "call super().__init__(channels) before anything else in the constructor"
    for channels in NO_NUMBERS:
        text = "nothing"
        try:
            case.info.cls(channels, **case.options)
        except Exception as error:
            text = str(error) if isinstance(error, ValueError) else brief(error)
        wanted = f"channels of {case.info.cls.__name__} must be a positive whole number"
        require(wanted in text, f"{channels!r} as channels raises {text}", mend)
