"""Every precision that Ultralytics trains, validates and exports in."""

import torch

from yolo_attn.contract.broken import require, require_close, trying
from yolo_attn.contract.case import Case
from yolo_attn.contract.shapes import ORDINARY

ONE_DTYPE = "build constants like x (torch.zeros(…, dtype=x.dtype, device=x.device)) or register them as buffers"
HALVES = (torch.float16, torch.bfloat16)
LARGE = 300.0


def check_dtypes(case: Case) -> None:
    """The whole module in float64, float16 and bfloat16: what goes in comes out, as `half=True` has it."""
    for dtype in (torch.float64, *HALVES):
        with trying(f"as {name(dtype)} with a map of that", ONE_DTYPE):
            y = case.module().to(dtype)(case.images().to(dtype))
            require(y.dtype == dtype, f"as {name(dtype)} it returns {name(y.dtype)}", ONE_DTYPE)


def check_autocast(case: Case) -> None:
    """Mixed precision: the map keeps its dtype, and its values within that dtype's tolerance."""
    for dtype in HALVES:
        for training in (False, True):
            y = mixed(case, dtype, 1.0, training)
            if not training:
                want = case.module()(case.images(size=ORDINARY).to(dtype).float())
                require_close(
                    y.float(), want, f"under autocast to {name(dtype)} its values differ", ONE_DTYPE, name(dtype)
                )


def check_large_numbers(case: Case) -> None:
    """Mixed precision on a map of hundreds: what fits the dtype is computed without overflow."""
    for dtype in HALVES:
        for training in (False, True):
            x = (case.images(size=ORDINARY) * LARGE).to(dtype)
            if case.module().train(training)(x.float()).abs().max() < torch.finfo(dtype).max:
                y = mixed(case, dtype, LARGE, training)
                mend = (
                    "sum, square and exponentiate in float32: under autocast x.float() first, the gate back to x.dtype"
                )
                require(y.isfinite().all(), f"under autocast to {name(dtype)} maps of ±{LARGE:.0f} overflow", mend)


def mixed(case: Case, dtype: torch.dtype, magnitude: float, training: bool) -> torch.Tensor:
    x = (case.images(size=ORDINARY) * magnitude).to(dtype)
    where = f"under autocast to {name(dtype)}"
    with trying(where, ONE_DTYPE), torch.autocast("cpu", dtype):
        y = case.module().train(training)(x)
        require(
            y.dtype == dtype, f"{where} it returns {name(y.dtype)}", "bring the gate to x.dtype: x * gate.to(x.dtype)"
        )
    return y


def name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
