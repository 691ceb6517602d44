"""Checkpoints as they were written, with every operator and both kinds of start: class paths are a file format.

operators.pt is of version 0.1.0. younger.pt has the eight operators that came then, and attention instead of a block.
blocks.pt has every operator in a block: in Bottleneck, C3, C2f, C3k2 and behind a Conv, every second as the identity.
"""

from pathlib import Path

import numpy as np
import pytest
import torch
from ultralytics import YOLO

from yolo_attn.nn import Attention
from yolo_attn.tolerance import TOLERANCE

GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize(("name", "kinds", "count"), [("operators", 14, 16), ("younger", 9, 11), ("blocks", 22, 22)])
def test_an_old_checkpoint_computes_what_it_did_in_memory(name, kinds, count):
    model = YOLO(GOLDEN / f"{name}.pt").model.float().eval()
    operators = [type(module) for module in model.modules() if isinstance(module, Attention)]
    assert len(set(operators)) == kinds and len(operators) == count  # rows, and inside blocks
    assert [layer.instead for layer in model.model if hasattr(layer, "instead")] == (["C2PSA"] * (name == "younger"))
    written = np.load(GOLDEN / f"{name}.npz")
    seen: list[torch.Tensor] = []
    model.model[-1].register_forward_pre_hook(lambda _, inputs: seen.extend(inputs[0]))
    with torch.inference_mode():
        model(torch.from_numpy(written["image"]).float())
    for i, got in enumerate(seen):
        want = torch.from_numpy(written[f"P{i}"])
        assert (got - want).abs().max() <= TOLERANCE["float32"] * max(1, want.abs().max())
