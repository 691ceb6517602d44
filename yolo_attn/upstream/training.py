"""Seam: what a trainer does with a model that has attention, between building it and the first step.

`freeze=10` means the first ten layers of the base: Ultralytics counts a model's rows, among which attention now is, so
the numbers that people know from the base are translated. Attention between frozen layers, or inside them, stays
trainable. Where no pretrained weights came, the log says that attention starts as in its paper; and where the Triton
kernels were asked for and cannot run, it ends here.
"""

import functools

from torch import nn
from ultralytics.engine.trainer import BaseTrainer
from ultralytics.utils import LOGGER

from yolo_attn.errors import AttentionError
from yolo_attn.nn import ECA, Attention
from yolo_attn.ops import choice
from yolo_attn.upstream.correspondence import is_attention_row, operators
from yolo_attn.upstream.parse import rows_text

_setup_train = BaseTrainer._setup_train


@functools.wraps(_setup_train)
def setup_train(self, *args, **kwargs):
    asked, setup_model = self.args.freeze, self.setup_model

    def setup_model_with_attention():
        checkpoint = setup_model()
        layers = getattr(self.model, "model", None)
        if isinstance(layers, nn.Sequential) and any(map(operators, layers)):
            if choice.asked() == "triton" and self.device.type != "cuda":
                raise AttentionError(
                    f"YOLO_ATTN_IMPL=triton trains on CUDA, and this is device={self.device}; set YOLO_ATTN_IMPL=eager"
                )
            if asked:
                self.args.freeze = translated(asked, layers)
                frozen = rows_text(self.args.freeze)
                LOGGER.info(f"yolo_attn: freeze={asked} counts the layers without attention: {frozen}")
            if not hasattr(self.model, "pt_path") and (rows := started_by_paper(layers)):  # nothing was loaded into it
                LOGGER.info(f"yolo_attn: no pretrained weights: attention starts as in its paper in {rows_text(rows)}")
        return checkpoint

    # For this call alone: the trainer's arguments are written into checkpoints, and stay as they were asked for.
    self.setup_model = setup_model_with_attention
    try:
        return _setup_train(self, *args, **kwargs)
    finally:
        del self.setup_model
        self.args.freeze = asked


def translated(freeze: int | list, layers: nn.Sequential) -> list:
    """Returns what to freeze in `layers` where `freeze` counts the base's layers: row numbers, or paths below a row."""
    base = [i for i, layer in enumerate(layers) if not is_attention_row(layer)]
    wanted = range(freeze) if isinstance(freeze, int) else freeze
    rows = [base[k] for k in wanted if isinstance(k, int) and 0 <= k < len(base)]
    return [path for row in rows for path in without_attention(layers[row], str(row))]


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
    """Lets the trainer know attention."""
    BaseTrainer._setup_train = setup_train


def uninstall() -> None:
    """Puts the method back."""
    BaseTrainer._setup_train = _setup_train


def canary() -> None:
    """Translates the numbers of a model whose layers are known.

    Raises:
        AttentionError: The trainer would not come by, or freeze something else.
    """
    layers = nn.Sequential(nn.Identity(), ECA(8), nn.Identity(), nn.Identity())
    translates = [translated(freeze, layers) for freeze in (2, [0, 2])] == [["0", "2"], ["0", "3"]]
    if BaseTrainer._setup_train is not setup_train or not translates:
        raise AttentionError("the trainer of this ultralytics sets a training up by another method")
