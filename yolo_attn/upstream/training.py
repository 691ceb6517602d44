"""Seam: what a trainer does with a model that has attention, between building it and the first step.

`freeze=10` means the first ten layers of the base, `freeze=[9, "22.cv2"]` its layer 9 and a part of its layer 22:
Ultralytics counts a model's rows, among which attention now is, so the numbers that people know from the base are
translated. Attention between frozen layers, or inside them, stays trainable, unless a path names it. Where no
pretrained weights came, the log says that attention starts as in its paper; and where the Triton kernels were asked for
and cannot run, it ends here.
"""

import contextlib
import functools
from typing import Any

from torch import nn
from ultralytics.engine.trainer import BaseTrainer
from ultralytics.utils import LOGGER

from yolo_attn.errors import AttentionError
from yolo_attn.nn import ECA, Attention
from yolo_attn.ops import choice
from yolo_attn.upstream import releases
from yolo_attn.upstream.correspondence import is_attention_row, operators
from yolo_attn.upstream.parse import rows_text

_setup_train = BaseTrainer._setup_train
_muon = releases.found(releases.MUON)
_muon_update = getattr(_muon, "muon_update", None)


@functools.wraps(_setup_train)
def setup_train(self, *args, **kwargs):
    if not isinstance(self, BaseTrainer):
        return _setup_train(self, *args, **kwargs)
    mine, setup_model = vars(self).get("setup_model"), self.setup_model
    with contextlib.ExitStack() as afterwards:

        def setup_model_with_attention():
            checkpoint = setup_model()
            model: Any = getattr(self.model, "student_model", self.model)  # a resumed distillation is wrapped
            layers = getattr(model, "model", None)
            if isinstance(layers, nn.Sequential) and any(map(operators, layers)):
                prepare(self, model, layers, afterwards)
            return checkpoint

        def put_back():
            if mine is None:
                del self.setup_model
            else:
                self.setup_model = mine

        self.setup_model = setup_model_with_attention
        afterwards.callback(put_back)
        return _setup_train(self, *args, **kwargs)


def prepare(trainer: BaseTrainer, model: nn.Module, layers: nn.Sequential, afterwards: contextlib.ExitStack) -> None:
    """Lets `freeze` mean the base's layers while a training is set up, and says how attention starts.

    The trainer's arguments are written into checkpoints: `afterwards` puts them back as they were asked for.

    Raises:
        AttentionError: The Triton kernels were asked for where they cannot run.
    """
    if choice.asked() == "triton" and trainer.device.type != "cuda":
        raise AttentionError(
            f"YOLO_ATTN_IMPL=triton trains on CUDA, and this is device={trainer.device}; set YOLO_ATTN_IMPL=eager"
        )
    asked = trainer.args.freeze
    if asked and isinstance(asked, (int, list)):  # Ultralytics passes over anything else
        trainer.args.freeze = translated(asked, layers)
        afterwards.callback(setattr, trainer.args, "freeze", asked)
    if not hasattr(model, "pt_path") and (rows := started_by_paper(layers)):  # nothing was loaded into it
        LOGGER.info(f"yolo_attn: no pretrained weights: attention starts as in its paper in {rows_text(rows)}")


def translated(freeze: int | list, layers: nn.Sequential, verbose: bool = True) -> list[str]:
    """Returns the paths to freeze in `layers` where `freeze` counts the base's layers.

    Args:
        freeze: The first so many of the base's layers, or a list of their numbers and of paths below them: `"22.cv2"`.
        layers: The layers of the model with attention.
        verbose: Say what they are, and what is not found.
    """
    # Attention instead of a block has the block's number; it trains on like all attention, unless it is meant itself.
    base = [i for i, layer in enumerate(layers) if hasattr(layer, "instead") or not is_attention_row(layer)]
    first = [k for k, i in enumerate(base) if not is_attention_row(layers[i])]
    asked = [k for k in first if k < freeze] if isinstance(freeze, int) else freeze
    wanted = {str(k): paths(str(k), base, layers) for k in asked}
    frozen = [path for found in wanted.values() for path in found]
    if frozen and verbose:
        LOGGER.info(f"yolo_attn: freeze={freeze} counts the layers without attention: rows {', '.join(frozen)}")
    nothing = [k for k, found in wanted.items() if not found]
    if nothing and verbose and isinstance(freeze, list):
        LOGGER.warning(
            f"yolo_attn: freeze finds no layer {', '.join(nothing)}: without attention the layers are 0 to "
            f'{len(base) - 1}, and a part of one is written "{len(base) - 1}.cv2"'
        )
    return frozen


def paths(wanted: str, base: list[int], layers: nn.Sequential) -> list[str]:
    """Returns the paths in `layers` of what `wanted` names: a number of a row of `base`, or a path that begins with it.

    Ultralytics freezes the parameters whose name has `model.{wanted}.` in it: nothing, where there is no such module.
    """
    number, _, part = wanted.partition(".")
    if number not in map(str, range(len(base))) or wanted.endswith("."):
        return []
    row = base[int(number)]
    try:
        module = layers[row].get_submodule(part)
    except AttributeError:
        return []
    path = f"{row}.{part}" if part else str(row)
    return without_attention(module, path) or [path]  # a path that leads to attention means it


def without_attention(layer: nn.Module, path: str) -> list:
    """Returns the paths of what in `layer` holds no attention: its own, or those of its parts."""
    if not operators(layer):
        return [path]
    if "" in operators(layer):
        return []
    return [found for name, part in layer.named_children() for found in without_attention(part, f"{path}.{name}")]


def started_by_paper(layers: nn.Sequential) -> list[int]:
    """Returns the rows whose attention does not start as the identity."""
    found = [(i, m) for i, layer in enumerate(layers) for m in operators(layer).values() if isinstance(m, Attention)]
    return sorted({i for i, m in found if m.blend is None and not m.starts_as_identity})


def install() -> None:
    """Lets the trainer know attention, and 8.4.0's optimizer take its kernels of one axis."""
    BaseTrainer._setup_train = setup_train
    if _muon and (mended := releases.muon_of_rows(_muon.muon_update)):
        _muon.muon_update = mended


def uninstall() -> None:
    """Puts the method back, and the optimizer's function."""
    BaseTrainer._setup_train = _setup_train
    if _muon:
        _muon.muon_update = _muon_update


def canary() -> None:
    """Translates the numbers of a model whose layers are known.

    Raises:
        AttentionError: The trainer would not come by, or freeze something else.
    """
    layers = nn.Sequential(nn.Identity(), ECA(8), nn.Identity(), nn.Identity())
    translates = [translated(freeze, layers, verbose=False) for freeze in (2, [0, 2])] == [["0", "2"], ["0", "3"]]
    if BaseTrainer._setup_train is not setup_train or not translates:
        raise AttentionError("the trainer of this ultralytics sets a training up by another method")
