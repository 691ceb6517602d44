"""Maps of every size come out as they went in: shape, dtype and finite numbers."""

import torch

from yolo_attn.contract.broken import Broken, require, shape_text, trying
from yolo_attn.contract.case import Case, images
from yolo_attn.errors import brief

ORDINARY = (20, 20)
ANY_SIZE = "take H and W from x.shape in forward; keep them by padding=kernel_size // 2 and stride 1"
WIDTHS = (8, 24, 64, 100, 512)
NO_NUMBERS = ("c2", 0, -4, 1.5, True, None)


def check_map(case: Case) -> None:
    """An ordinary map, 20×20, keeps its shape and dtype, in training and evaluation."""
    keeps(case, [ORDINARY], "forward takes one map (N, C, H, W) and returns one of the same shape, dtype and device")


def check_odd_maps(case: Case) -> None:
    """So does one whose sides are odd, and differ."""
    keeps(case, [(7, 13)], ANY_SIZE)


def check_strips(case: Case) -> None:
    """So does a strip of one row or of one column."""
    keeps(case, [(1, 7), (7, 1)], "write squeeze(dim) instead of squeeze(), and no kernel or stride beyond the map")


def check_one_pixel(case: Case) -> None:
    """So does a map of one pixel."""
    mend = "a map of one pixel has no spread: mean and amax work there, kernels need padding, std needs unbiased=False"
    keeps(case, [(1, 1)], mend, alone=False)


def check_one_pixel_alone(case: Case) -> None:
    """So does a single such map in training, as the last batch of an epoch may be."""
    mend = "one value a channel has no variance: take yolo_attn.nn.layers.BatchNorm2d for nn.BatchNorm2d"
    keeps(case, [(1, 1)], mend, batches=(1,), modes=(True,))


def keeps(
    case: Case, sizes: list[tuple[int, int]], mend: str, batches=(1, 3), modes=(False, True), alone: bool = True
) -> None:
    """Runs the operator on maps of the sizes; `alone` also in training on a batch of one."""
    for size in sizes:
        for batch in batches:
            for training in modes:
                if batch == 1 and training and not alone:
                    continue
                x = case.images(batch, size)
                where = f"on {shape_text(x)} in {'training' if training else 'evaluation'}"
                with trying(where, mend):
                    y = case.module().train(training)(x)
                    require(isinstance(y, torch.Tensor), f"{where} it returns a {type(y).__name__}", mend)
                    require(y.shape == x.shape, f"{where} it returns {shape_text(y)}", mend)
                    require(y.dtype == x.dtype, f"{where} it returns {y.dtype}", mend)
                    require(y.isfinite().all(), f"{where} its numbers are not finite", mend)


def check_channels(case: Case) -> None:
    """Other numbers of channels fit, or are refused in one line that names the option to change."""
    for channels in WIDTHS:
        said = f"raise ValueError in one line, such as '{case.info.name} cannot …{channels}…; set {{reduction: 4}}'"
        try:
            module = case.info.cls(channels, **case.options).eval()
        except ValueError as refused:
            text = str(refused)
            helpful = str(channels) in text and "set {" in text and "\n" not in text
            require(helpful, f"{channels} channels are refused without saying what to set ({brief(refused)})", said)
            continue
        except Exception as error:
            raise Broken(f"{channels} channels: {brief(error)}", said) from error
        with trying(f"{channels} channels", "build every layer from the constructor's channels"):
            y = module(images(2, channels, (7, 13)))
            require(y.shape[1] == channels, f"{channels} channels become {y.shape[1]}", "return as many channels")


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
