"""Which implementation trains on CUDA: PyTorch's own operations, or the Triton kernels of this package.

`YOLO_ATTN_IMPL=triton yolo train …` asks for the kernels, and the processes of a training on several GPUs inherit it;
in Python it is `use("triton")`, before anything is compiled. `auto`, the default, takes them where they were measured
to be faster. Only a training step on CUDA ever sees them: no evaluation, no export, no CPU.
"""

import os
from importlib.util import find_spec

import torch

from yolo_attn.errors import AttentionError

IMPLEMENTATIONS = ("auto", "eager", "triton")
DTYPES = (torch.float32, torch.bfloat16, torch.float16)
FASTER: frozenset[str] = frozenset()  # operators whose kernels met their bar in benchmarks/cuda.py: none was measured

_asked: str | None = None


def use(implementation: str) -> None:
    """Chooses the implementation for this process: `auto`, `eager` or `triton`.

    Raises:
        AttentionError: There is no such implementation, or it cannot run here.
    """
    global _asked
    if implementation not in IMPLEMENTATIONS:
        known = ", ".join(IMPLEMENTATIONS)
        raise AttentionError(f"there is no implementation {implementation!r}; set YOLO_ATTN_IMPL to one of: {known}")
    if implementation == "triton" and not can_run():
        raise AttentionError(
            "YOLO_ATTN_IMPL=triton needs CUDA and the package triton, which are not here; set YOLO_ATTN_IMPL=eager"
        )
    _asked = implementation


def can_run() -> bool:
    """Returns whether Triton's kernels run here, on a GPU or in Triton's interpreter."""
    return find_spec("triton") is not None and (torch.cuda.is_available() or interpreted())


def interpreted() -> bool:
    """Returns whether Triton interprets its kernels on the CPU, as the tests let it."""
    return os.environ.get("TRITON_INTERPRET") == "1"


@torch.compiler.assume_constant_result
def asked() -> str:
    """Returns what was chosen, by `use` or by the environment."""
    if _asked is None:
        use(os.environ.get("YOLO_ATTN_IMPL", "auto"))
    return _asked or "auto"


@torch.compiler.assume_constant_result
def runs_on(device: str) -> bool:
    """Returns whether a map on a device of this type goes to the kernels."""
    return device == "cuda" or interpreted()


def kernels(operator: str, x: torch.Tensor, training: bool) -> bool:
    """Returns whether this step of `operator` runs on its kernels.

    Raises:
        AttentionError: They were asked for and do not take such a map.
    """
    wanted = asked()
    if not training or wanted == "eager" or (wanted == "auto" and operator not in FASTER):
        return False
    if not runs_on(x.device.type) or torch.compiler.is_exporting() or torch.jit.is_tracing():
        return False
    if x.dtype in DTYPES:
        return True
    if wanted == "auto":
        return False
    raise AttentionError(
        f"{operator}'s kernels take float32, bfloat16 and float16, got {x.dtype}; set YOLO_ATTN_IMPL=eager"
    )
