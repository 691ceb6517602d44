"""Which implementation trains on CUDA: PyTorch's own operations, or the Triton kernels of this package.

`YOLO_ATTN_IMPL=triton yolo train …` asks for the kernels, and the processes of a training on several GPUs inherit it;
in Python it is `use("triton")`, before anything is compiled. `auto`, the default, takes them where they were measured
to be faster. Only a training step on CUDA ever sees them: no evaluation, no export, no CPU.
"""

import functools
import os
from importlib.util import find_spec

import torch

from yolo_attn.errors import AttentionError

IMPLEMENTATIONS = ("auto", "eager", "triton")
DTYPES = (torch.float32, torch.bfloat16, torch.float16)
FASTER: frozenset[str] = frozenset()  # operators whose kernels met their bar in benchmarks/cuda: none was measured
INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"  # kernels run on the CPU, as the tests let them

_asked = os.environ.get("YOLO_ATTN_IMPL", "auto")


def use(implementation: str) -> None:
    """Chooses the implementation for this process: `auto`, `eager` or `triton`.

    Raises:
        AttentionError: There is no such implementation, or it cannot run here.
    """
    global _asked
    check(implementation)
    _asked = implementation


def asked() -> str:
    """Returns what was chosen, by `use` or by the environment.

    Raises:
        AttentionError: There is no such implementation, or it cannot run here.
    """
    check(_asked)
    return _asked


@functools.cache
def check(implementation: str) -> None:
    """Raises AttentionError unless there is such an implementation, and it can run here."""
    if implementation not in IMPLEMENTATIONS:
        known = ", ".join(IMPLEMENTATIONS)
        raise AttentionError(f"there is no implementation {implementation!r}; set YOLO_ATTN_IMPL to one of: {known}")
    if implementation == "triton" and not (find_spec("triton") and (torch.cuda.is_available() or INTERPRETED)):
        raise AttentionError(
            "YOLO_ATTN_IMPL=triton needs CUDA and the package triton, which are not here; set YOLO_ATTN_IMPL=eager"
        )


def kernels(operator: str, x: torch.Tensor, training: bool) -> bool:
    """Returns whether this step of `operator` runs on its kernels.

    Raises:
        AttentionError: They were asked for and cannot run here, or do not take such a map.
    """
    if not training or _asked == "eager" or (_asked == "auto" and operator not in FASTER):
        return False
    if not torch.compiler.is_compiling():
        check(_asked)
    if not (x.is_cuda or INTERPRETED) or torch.compiler.is_exporting() or torch.jit.is_tracing():
        return False
    if x.dtype in DTYPES or _asked == "auto":
        return x.dtype in DTYPES
    raise AttentionError(
        f"{operator}'s kernels take float32, bfloat16 and float16, got {x.dtype}; set YOLO_ATTN_IMPL=eager"
    )
