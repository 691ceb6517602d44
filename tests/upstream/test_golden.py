"""A checkpoint of version 0.1.0, with every operator and both kinds of start: class paths are a file format."""

from pathlib import Path

import numpy as np
import torch
from ultralytics import YOLO

from yolo_attn.nn import Attention
from yolo_attn.tolerance import TOLERANCE

GOLDEN = Path(__file__).parent / "golden"


def test_an_old_checkpoint_computes_what_it_did_in_memory():
    model = YOLO(GOLDEN / "operators.pt").model.float().eval()
    operators = [type(module) for module in model.modules() if isinstance(module, Attention)]
    assert len(set(operators)) == 14 and len(operators) == 16  # a row of each, and two inside blocks
    written = np.load(GOLDEN / "operators.npz")
    seen: list[torch.Tensor] = []
    model.model[-1].register_forward_pre_hook(lambda _, inputs: seen.extend(inputs[0]))
    with torch.inference_mode():
        model(torch.from_numpy(written["image"]).float())
    for i, got in enumerate(seen):
        want = torch.from_numpy(written[f"P{i}"])
        assert (got - want).abs().max() <= TOLERANCE["float32"] * max(1, want.abs().max())
