"""What an operator costs on one map, beside a 3×3 convolution of as many channels. Nothing is judged by it."""

import statistics
import time

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from yolo_attn.contract.case import Case, deployed, images
from yolo_attn.export.parity import runner
from yolo_attn.export.single import exported, rewritten

CHANNELS, SIZE = 256, (20, 20)
ROUNDS = 30


def cost(case: Case) -> str:
    """Returns parameters, FLOPs and time of the ONNX file in ONNX Runtime on a map of 256×20×20.

    Where the operator refuses so many channels, the case's own are taken.
    """
    try:
        module, channels = case.info.cls(CHANNELS, **case.options), CHANNELS
    except ValueError:
        module, channels = case.info.cls(case.channels, **case.options), case.channels
    x = images(1, channels, SIZE)
    parameters = sum(parameter.numel() for parameter in module.parameters())
    form = deployed(module.eval())
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        form(x)
    convolution = nn.Conv2d(channels, channels, 3, padding=1, bias=False).eval()
    ours, theirs = (runner(rewritten(exported(one, tuple(x.shape), dynamic=False))[0]) for one in (form, convolution))
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(ROUNDS):  # both take turns, so that what else runs here meets both
        for run, taken in zip((ours, theirs), times, strict=True):
            start = time.perf_counter()
            run(x)
            taken.append(time.perf_counter() - start)
    own, conv = map(statistics.median, times)
    return (
        f"on {channels}×{SIZE[0]}×{SIZE[1]}: {parameters:,} parameters, {counter.get_total_flops() / 1e6:.3g} MFLOPs, "
        f"{own * 1e3:.2f} ms in ONNX Runtime, {own / conv:.2f} of a 3×3 convolution's time"
    )
