"""Every precision that Ultralytics trains, validates and exports in."""

import torch

from yolo_attn.contract.broken import require, require_close, trying
from yolo_attn.contract.case import Case
from yolo_attn.contract.shapes import ORDINARY

ONE_DTYPE = "build constants like x (torch.zeros(…, dtype=x.dtype, device=x.device)) or register them as buffers"
WIDE = "sum, square and exponentiate in float32: x.float() first, and the gate back to x.dtype"
HALVES = (torch.float16, torch.bfloat16)
LARGE = 300.0


def check_dtypes(case: Case) -> None:
    """As float64, float16 and bfloat16 it returns the dtype that it is given."""
    for dtype in (torch.float64, *HALVES):
        with trying(f"as {name(dtype)} with a map of that", ONE_DTYPE):
            y = case.module().to(dtype)(case.images().to(dtype))
            require(y.dtype == dtype, f"as {name(dtype)} it returns {name(y.dtype)}", ONE_DTYPE)


def check_autocast(case: Case) -> None:
    """Under autocast the map keeps its dtype, and values are as near as that allows."""
    for dtype in HALVES:
        for training in (False, True):
            y = mixed(case, dtype, 1.0, training)
            if not training:
                want = case.module()(case.images(size=ORDINARY).to(dtype).float())
                what = f"under autocast to {name(dtype)} its values differ"
                require_close(y.float(), want, what, ONE_DTYPE, name(dtype))


def check_large_numbers(case: Case) -> None:
    """Under autocast maps of hundreds do not overflow."""
    for dtype in HALVES:
        for training in (False, True):
            if fits(case, dtype, training):
                mixed(case, dtype, LARGE, training)


def fits(case: Case, dtype: torch.dtype, training: bool) -> bool:
    """Tells whether what the operator makes of a map of hundreds is within a dtype's numbers at all."""
    x = (case.images(size=ORDINARY) * LARGE).to(dtype).float()
    return bool(case.module().train(training)(x).abs().max() < torch.finfo(dtype).max)


def mixed(case: Case, dtype: torch.dtype, magnitude: float, training: bool) -> torch.Tensor:
    x = (case.images(size=ORDINARY) * magnitude).to(dtype)
    where = f"under autocast to {name(dtype)}, on numbers around {magnitude:.0f},"
    with trying(where, ONE_DTYPE), torch.autocast("cpu", dtype):
        y = case.module().train(training)(x)
        mend = "bring the gate to the map's dtype: x * gate.to(x.dtype)"
        require(y.isfinite().all(), f"{where} its numbers are not finite", WIDE)
        require(y.dtype == dtype, f"{where} it returns {name(y.dtype)}", mend)
    return y


def name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
