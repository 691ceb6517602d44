"""What the log says about a transfer of weights: what came along, and how attention starts. Nothing before it is so."""

from typing import Any

import torch
from ultralytics.utils import LOGGER

from yolo_attn.upstream import wiring
from yolo_attn.upstream.correspondence import Pairs, base_rows, base_shapes
from yolo_attn.upstream.parse import rows_text
from yolo_attn.upstream.provenance import misfit
from yolo_attn.upstream.starts import Starts


def tell(model: Any, source: Any, view: Any, pairs: Pairs, starts: Starts, items: int) -> None:
    """Says what came along and how attention starts, one line each, once it is so.

    Args:
        model: The model that has loaded.
        source: What it has loaded.
        view: The source, laid out as the model.
        pairs: Which rows correspond.
        starts: How attention starts.
        items: How many tensors came along.
    """
    others = [i for i in base_rows(model.model) if i not in pairs and base_shapes(model.model[i])]
    left = [j for j in base_rows(source.model) if j not in pairs.values() and base_shapes(source.model[j])]
    if others:
        LOGGER.warning(f"yolo_attn: nothing is transferred to {rows_text(others)}: the source has no such module there")
    if left:
        LOGGER.info(f"yolo_attn: nothing here takes {rows_text(left)} of the source")
    for i, options in starts.differing.items():
        LOGGER.warning(f"yolo_attn: attention in row {i} is new, as it is another function: {options}")
    if starts.deployed:
        LOGGER.info(
            f"yolo_attn: attention in {rows_text(starts.deployed)} goes on in the fused source's deploy form, in which "
            "not every number is trained"
        )
    whole = followed(model, view) and wiring.same_layers(model.model, source.model, pairs)
    if whole and (rows := wiring.rewired(model.model, source.model, pairs)):
        LOGGER.warning(
            f"yolo_attn: the pretrained network does not keep its output: other rows than in the source lead to "
            f"{rows_text(rows)}"
        )
        whole = False
    if starts.identity:
        so_that = (
            "the pretrained network keeps its output" if whole and starts.same_output else "it changes nothing yet"
        )
        LOGGER.info(
            f"yolo_attn: attention starts as the identity in {rows_text(starts.identity)}, so that {so_that}; "
            "{start: paper} in a row switches that off"
        )
    if starts.paper:
        LOGGER.info(f"yolo_attn: attention starts as in its paper in {rows_text(starts.paper)}, as the model says")
    base = sum(len(base_shapes(layer)) for layer in model.model)
    attention = len(model.model.state_dict()) - base - starts.fresh
    if items - attention < base and (text := misfit(model, source)):
        LOGGER.warning(f"yolo_attn: {text}")
    text = f"Transferred {items - attention}/{base} base tensors" + (f", {attention} of attention" if attention else "")
    LOGGER.info(f"yolo_attn: {text}{f', {starts.fresh} new' if starts.fresh else ''}")


def base_tensors(model: Any) -> dict[str, torch.Tensor]:
    """Returns the tensors of a model that are not attention's."""
    layers = enumerate(model.model)
    names = {f"{i}.{name}" for i, layer in layers for name in base_shapes(layer)}
    return {name: tensor for name, tensor in model.model.state_dict().items() if name in names}


def followed(model: Any, view: Any) -> bool:
    """Tells whether every base tensor of `model` is the source's, laid out in `view`."""
    theirs = view.model.state_dict()
    return all(k in theirs and torch.equal(tensor, theirs[k].to(tensor)) for k, tensor in base_tensors(model).items())
