"""How a check says what is wrong with an operator, and what to do about it."""

import contextlib
import textwrap
from collections.abc import Iterator

import torch

from yolo_attn.errors import AttentionError, brief
from yolo_attn.tolerance import TOLERANCE

LONGEST = 160


class Broken(AttentionError):
    """What an operator does not keep to, and the mend."""

    def __init__(self, what: str, mend: str):
        super().__init__(f"{what}: {mend}")
        self.what, self.mend = what, mend


class Skipped(Exception):
    """Why a check has nothing to look at in an operator."""


def require(kept: object, what: str, mend: str) -> None:
    """Raises `Broken` unless `kept`."""
    if not kept:
        raise Broken(what, mend)


def require_close(got: torch.Tensor, want: torch.Tensor, what: str, mend: str, dtype: str = "float32") -> None:
    """Raises `Broken` unless two maps are of one shape and as close as the table of tolerances has it for `dtype`."""
    require(got.shape == want.shape, f"{what}: {shape_text(got)} instead of {shape_text(want)}", mend)
    apart = distance(got, want)
    require(apart <= TOLERANCE[dtype], f"{what} by {apart:.1e}", mend)


def distance(got: torch.Tensor, want: torch.Tensor) -> float:
    """Returns the largest difference over the largest magnitude of `want`, and over 1 where that is smaller."""
    return ((got.double() - want.double()).abs().max() / want.double().abs().max().clamp(min=1)).item()


def shape_text(x: torch.Tensor) -> str:
    """Returns `2×32×7×13`."""
    return "×".join(map(str, x.shape))


def shortened(error: BaseException) -> str:
    """Returns somebody else's error as `brief` does; those of exporters go on for long."""
    return textwrap.shorten(brief(error), LONGEST, placeholder=" …")


@contextlib.contextmanager
def trying(where: str, mend: str) -> Iterator[None]:
    """Makes a `Broken` of whatever the operator raises within."""
    try:
        yield
    except (Broken, Skipped):
        raise
    except Exception as error:  # an operator of anybody's may raise anything
        raise Broken(f"{where}: {shortened(error)}", mend) from error
