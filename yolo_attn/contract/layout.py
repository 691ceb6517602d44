"""Maps laid out channels last, as Ultralytics trains on CUDA, stay so."""

import torch

from yolo_attn.contract.broken import require, require_close, trying
from yolo_attn.contract.case import Case


def check_channels_last(case: Case) -> None:
    """A map laid out channels last comes out so, with the same numbers."""
    mend = "write reshape for view, and return the map times its gate, which keeps x's own layout"
    last, x = torch.channels_last, case.images()
    with trying("on a map laid out channels last", mend):
        y = case.module().to(memory_format=last)(x.to(memory_format=last))
        require(y.is_contiguous(memory_format=last), "a map laid out channels last comes out laid out otherwise", mend)
        require_close(y, case.module()(x), "a map laid out channels last gives other numbers", mend)
