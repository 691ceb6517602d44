"""In evaluation an image gives one result, whatever was computed before it and beside it."""

import torch

from yolo_attn.contract.broken import require, require_close
from yolo_attn.contract.case import Case


def check_repeats(case: Case) -> None:
    """Twice the same map gives twice the same numbers, and nothing is learnt."""
    module, x = case.module(), case.images(3)
    before = {key: value.clone() for key, value in module.state_dict().items()}
    mend = "leave noise and dropout to training: nn.Dropout knows, F.dropout needs training=self.training"
    require(torch.equal(module(x), module(x)), "in evaluation two runs on one map differ", mend)
    changed = [key for key, value in module.state_dict().items() if not torch.equal(value, before[key])]
    require(not changed, f"evaluation changes {', '.join(changed)}", "update statistics only if self.training")


def check_per_image(case: Case) -> None:
    """An image's result hangs on that image alone."""
    module, x = case.module(), case.images(3)
    alone = torch.cat([module(x[i : i + 1]) for i in range(3)])
    mend = "reduce over channels, rows and columns, never over dim 0; in evaluation use running statistics"
    require_close(alone, module(x), "an image alone and in a batch of three differ", mend)
