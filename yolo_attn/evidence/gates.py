"""The gates that really multiplied: read from a network while it looks at a picture."""

import contextlib
import copy
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.functional import interpolate
from ultralytics.utils.ops import scale_masks

from yolo_attn.errors import AttentionError
from yolo_attn.evidence.layers import attention
from yolo_attn.nn import Attention


@dataclass
class Seen:
    """What an attention layer did to one picture.

    `gate` is what its map `x` was multiplied by, `(1, C or 1, H or 1, W or 1)`, shares of an identity start included;
    None where the operator is no gate. `x` is `(1, C, H, W)`.
    """

    layer: Attention
    x: torch.Tensor
    gate: torch.Tensor | None

    @property
    def spatial(self) -> torch.Tensor | None:
        """The gate over the map, the mean of its channels, `(H, W)`; None where it is the same in every place."""
        if self.gate is None or self.gate.shape[2:].numel() == 1:
            return None
        return self.gate[0].float().mean(0).expand(self.x.shape[2:])

    @property
    def channels(self) -> torch.Tensor | None:
        """The gate of each channel, the mean of its places, `(C,)`; None where all channels have the same."""
        if self.gate is None or self.gate.shape[1] == 1:
            return None
        return self.gate[0].float().mean((1, 2))

    def at_random(self, seed: int = 0) -> "Seen":
        """Returns what the layer would do with weights that have learnt nothing: its gate should look otherwise."""
        layer = copy.deepcopy(self.layer)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            for module in layer.modules():
                if callable(reset := getattr(module, "reset_parameters", None)):
                    reset()
        return Seen(layer, self.x, gate_of(layer, self.x))


class Watch:
    """What is seen while a network looks at its last picture: each attention layer, by its path, and the input's size.

    `size` is the height and width of what went in, borders included.
    """

    def __init__(self) -> None:
        self.layers: dict[str, Seen] = {}
        self.size: tuple[int, int] = (0, 0)


@contextlib.contextmanager
def watched(model: nn.Module) -> Iterator[Watch]:
    """Watches a network as long as the block lasts."""
    watch = Watch()

    def entered(_, args):
        watch.size = tuple(args[0].shape[2:])

    def remember(path: str, layer: Attention):
        def hook(_, args):
            x = args[0][:1].detach().clone()
            watch.layers[path] = Seen(layer, x, gate_of(layer, x))

        return layer.register_forward_pre_hook(hook)

    handles = [model.register_forward_pre_hook(entered)]
    handles += [remember(path, layer) for path, layer in attention(model).items()]
    try:
        yield watch
    finally:
        for handle in handles:
            handle.remove()


@torch.inference_mode()
def gate_of(layer: Attention, x: torch.Tensor) -> torch.Tensor | None:
    """Returns what a layer multiplies `x` by; None where it is no gate."""
    try:
        return layer.gate(x)
    except AttentionError:
        return None


def over_picture(spatial: torch.Tensor, network_size: tuple[int, int], picture_size: tuple[int, int]) -> torch.Tensor:
    """Returns a spatial gate, `(H, W)`, as large as the picture: every value lies over what it multiplied.

    Args:
        spatial: The gate.
        network_size: Height and width of what went into the network, borders included.
        picture_size: Those of the picture.
    """
    whole = interpolate(spatial[None, None], network_size, mode="nearest")
    return scale_masks(whole, picture_size)[0, 0]
