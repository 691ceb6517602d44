"""What Ultralytics makes of a model dict: each row's stride, channels and cost, read off a model without data."""

import contextlib
import math
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode
from ultralytics.nn import tasks

from yolo_attn.archive import check_whole
from yolo_attn.errors import AttentionError, brief
from yolo_attn.surgery.check import file, prepared
from yolo_attn.surgery.forms import copied
from yolo_attn.surgery.places import Layer
from yolo_attn.upstream import blocks
from yolo_attn.upstream.building import own_scale

IMAGE_SIZE = 256
TEXTS, TEXT_SIZE = 80, 512  # what models that also read text are given: so many vectors of so many numbers


def load(model: str | Path | dict) -> dict:
    """Returns the model dict of a YAML's name or path, as Ultralytics finds and reads it, or of a checkpoint.

    Args:
        model: The name or path, or a model dict, which is copied.

    Raises:
        AttentionError: There is no such file, or it holds no model; the message names the row and the mend.
    """
    if isinstance(model, dict):
        return prepared(model)[0]
    wanted = "a model YAML such as yolo26n.yaml or yolo26n-cbam.yaml, or a checkpoint such as best.pt"
    if Path(model).suffix not in (".yaml", ".yml", ".pt"):
        raise AttentionError(f"'{model}' is no model whose rows can be read; give {wanted}")
    try:
        if Path(model).suffix == ".pt":
            check_whole(model)
            return prepared(tasks.load_checkpoint(model)[0].yaml)[0]
        return prepared(tasks.yaml_model_load(model))[0]
    except FileNotFoundError as error:
        raise AttentionError(f"{error}; give {wanted}") from None
    except AttentionError:
        raise
    except Exception as error:  # whatever torch, pickle and YAML make of a file that is damaged or something else
        if isinstance(error, OSError) and error.filename:
            raise
        raise AttentionError(f"'{model}' cannot be read ({brief(error)}); give {wanted}") from error


def scale_of(stem: str) -> str:
    """Returns the scale letter that Ultralytics reads from a YAML's name, or nothing."""
    return tasks.guess_model_scale(stem)


def layers(model: dict, size: int = IMAGE_SIZE, count: bool = False) -> list[Layer]:
    """Returns what becomes of every row before the last, which is the head.

    Args:
        model: The model dict; it is not changed.
        size: Height and width of the image.
        count: Look at the head as well, and count floating point operations.

    Raises:
        AttentionError: A row cannot run on what it reads.
    """
    found = []
    outputs: list[Any] = []
    with torch.device("meta"), torch.no_grad():
        built = build(model)
        x: Any = torch.zeros(1, model.get("channels", 3), size, size)
        text = torch.zeros(1, TEXTS, TEXT_SIZE)
        wanted: list[Any] = list(built)
        for i, layer in enumerate(wanted if count else wanted[:-1]):
            if layer.f != -1:
                x = outputs[layer.f] if isinstance(layer.f, int) else [x if j == -1 else outputs[j] for j in layer.f]
            with FlopCounterMode(display=False) if count else contextlib.nullcontext() as counter:
                last = i == len(built) - 1
                try:
                    done, x, text = _run(layer, x, text, last)
                except Exception as error:
                    where = f"{file(model)}, row {i} {layer.type.rpartition('.')[2]}"
                    why = str(error).partition("\n")[0]
                    raise AttentionError(f"{where} cannot run on what it reads, {layer.f}: {why}") from None
            outputs.append(x)
            is_map = isinstance(x, torch.Tensor) and x.ndim == 4 and not last
            found.append(
                Layer(
                    stride=2 ** round(math.log2(size / x.shape[-1])) if is_map else None,
                    channels=x.shape[1] if is_map else None,
                    inside=len(blocks.ends(layer)),
                    parameters=sum(p.numel() for p in layer.parameters()),
                    flops=counter.get_total_flops() if counter and done else None,
                )
            )
    return found


def build(model: dict) -> torch.nn.Sequential:
    """Returns the layers that Ultralytics builds from a model dict, for inference, on the current default device.

    Raises:
        AttentionError: Ultralytics cannot build it.
    """
    model = copied(model)
    if model.get("scales"):
        model["scale"] = own_scale(model)  # parse_model warns where it chooses by itself
    try:
        return tasks.parse_model(model, ch=model.get("channels", 3), verbose=False)[0].eval()
    except AttentionError:
        raise
    except Exception as error:  # a row whose numbers or name mean nothing ends in whatever its constructor raises
        name = model.get("yaml_file") or "this model"
        raise AttentionError(f"ultralytics cannot build {name} ({brief(error)}); mend its rows") from error


def _run(layer, x: Any, text: torch.Tensor, last: bool) -> tuple[bool, Any, torch.Tensor]:
    """Returns whether the layer ran, its output, and the text as the layers after it read it."""
    if isinstance(layer, tasks.ImagePoolingAttn):
        return True, x, layer(x, text)
    arguments = [x, text] if isinstance(layer, (tasks.C2fAttn, tasks.WorldDetect)) else [x]
    if not last:
        return True, layer(*arguments), text
    if isinstance(getattr(layer, "stride", None), torch.Tensor):
        layer.stride = torch.ones(len(layer.stride), device="cpu")  # its values are read where the anchors are made
    try:
        return True, layer(*arguments), text
    except Exception:  # a head may want more than maps, or numbers where there are none without data
        return False, None, text
