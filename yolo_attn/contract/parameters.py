"""How optimizers see an operator's parameters."""

from torch import nn

from yolo_attn.contract.broken import require
from yolo_attn.contract.case import Case


def check_optimizer(case: Case) -> None:
    """MuSGD takes no number per channel for a matrix to orthogonalise."""
    module = case.fresh()
    layers = (nn.Conv2d, nn.Linear)
    found = [
        f"{path}.{key}".lstrip(".")
        for path, part in module.named_modules()
        if not isinstance(part, layers)
        for key, parameter in part.named_parameters(recurse=False)
        if parameter.ndim in (2, 4) and parameter.numel() == max(parameter.shape) == case.channels
    ]
    mend = "keep it as a vector and shape it in forward: self.scale.view(1, -1, 1, 1)"
    require(not found, f"{', '.join(found)} is one number per channel, which MuSGD would orthogonalise", mend)
