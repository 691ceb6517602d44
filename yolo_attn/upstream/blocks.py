"""Attention inside Ultralytics' blocks, where the papers of SE, ECA and CBAM put it: before each residual sum.

    - [-1, 2, C3k2_CBAM, [512, false, 0.25, {reduction: 8}]]

The row is built as Ultralytics' own `[-1, 2, C3k2, [512, false, 0.25]]`; then attention goes into the built layer. So
arguments, repeats and scaling are Ultralytics' own, and so are all parameter names: attention adds `….attn.…` and
changes none.

Where it goes: into every bottleneck, on its second convolution's output. A layer without bottlenecks is searched for
other residual blocks, and attention goes to the end of each one's residual branch (`branch_end`): x + attn(f(x)). Where
a block adds nothing up to a map (C3TR adds tokens, ELAN1 concatenates), that end is its output, attn(f(x)), as it is of
a `Conv`, one after another in a row with repeats.
"""

import contextlib
import inspect
import logging
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import torch
from torch import nn
from ultralytics.nn import modules
from ultralytics.nn.modules import Bottleneck, Conv, GhostConv
from ultralytics.nn.modules.block import CIB, GhostBottleneck, HGBlock, ResNetBlock
from ultralytics.utils import LOGGER

from yolo_attn.errors import AttentionError
from yolo_attn.nn import own
from yolo_attn.registry import AttentionInfo
from yolo_attn.surgery.rows import check_options, is_number, is_whole, split_block


class AttentionBottleneck(Bottleneck):
    """A bottleneck with attention: x + attn(cv2(cv1(x))), the sum only where the bottleneck has its shortcut."""

    attn: nn.Module

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        residual = self.attn(self.cv2(self.cv1(x)))
        return residual + x if self.add else residual


class AttentionConv(Conv):
    """A convolution with attention behind its activation, what forks call `Conv_CBAM`: attn(act(bn(conv(x))))."""

    attn: nn.Module

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.attn(super().forward(x))

    def forward_fuse(self, x: torch.Tensor) -> torch.Tensor:
        return self.attn(super().forward_fuse(x))


class AttentionBasicBlock(nn.Module):
    """What torchvision's `BasicBlock` becomes: relu(attn(f(x)) + shortcut(x)). Its branch ends in a batch norm.

    Not a subclass, so that torchvision is loaded by nobody who has no such row.
    """

    attn: nn.Module
    downsample: nn.Module | None
    conv1: nn.Module
    bn1: nn.Module
    conv2: nn.Module
    bn2: nn.Module
    relu: nn.Module

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        kept = x if self.downsample is None else self.downsample(x)
        return self.relu(self.attn(self.branch(x)) + kept)

    def branch(self, x: torch.Tensor) -> torch.Tensor:
        """Returns f(x), the residual."""
        return self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))


class AttentionResNetBottleneck(AttentionBasicBlock):
    """The same of torchvision's ResNet `Bottleneck`, which has three convolutions."""

    conv3: nn.Module
    bn3: nn.Module

    def branch(self, x: torch.Tensor) -> torch.Tensor:
        return self.bn3(self.conv3(self.relu(super().branch(x))))


# Where each block's residual branch ends, by the block's class: x + f(x) is f's last child. By names, as releases have
# different blocks, and as nobody loads torchvision for it.
BRANCHES = {
    **{f"ultralytics.nn.modules.block.{block}": end for block, end in (
        ("ABlock", "mlp"), ("C1", "m"), ("CIB", "cv1"), ("GhostBottleneck", "conv"), ("HGBlock", "ec"), ("PSA", "ffn"),
        ("PSABlock", "ffn"), ("RepC3", "m"), ("ResNetBlock", "cv3"),
        ("C3TR", "cv3"), ("ELAN1", "cv4"),  # these two add no map up: their output
    )},
    "torchvision.models.convnext.CNBlock": "block",
    "torchvision.models.efficientnet.FusedMBConv": "block",
    "torchvision.models.efficientnet.MBConv": "block",
    "torchvision.models.mobilenetv2.InvertedResidual": "conv",
    "torchvision.models.mobilenetv3.InvertedResidual": "block",
}  # fmt: skip
REPLACED: dict[str, type[nn.Module]] = {
    "torchvision.models.resnet.BasicBlock": AttentionBasicBlock,
    "torchvision.models.resnet.Bottleneck": AttentionResNetBottleneck,
}


class Inside(NamedTuple):
    """The attention of one row's block: the operator, and the options the row gives."""

    info: AttentionInfo
    options: dict


def take(rows: list[list], named: Mapping[int, str]) -> dict[int, Inside]:
    """Makes each row with attention inside the plain row of Ultralytics' block, in place; returns what was taken.

    Args:
        rows: The model's rows.
        named: The rows to do it to, each with its name in messages.

    Raises:
        AttentionError: An argument is of another kind than the block takes.
    """
    taken = {}
    for i, row in named.items():
        block, info = split_block(rows[i][2])  # type: ignore[misc]
        if not hasattr(modules, block):
            raise AttentionError(f"{row}: this ultralytics has no {block}; take a newer one, or another block")
        args = rows[i][3]
        options = args[-1] if args and isinstance(args[-1], dict) else {}
        rows[i][2:] = [block, args[:-1] if options else args]
        if fault := wrong_argument(block, rows[i][3]):
            raise AttentionError(f"{row}: {fault}; {info.name}'s options stand in braces behind it, {{…: …}}")
        taken[i] = Inside(info, options)
    return taken


def wrong_argument(block: str, args: list) -> str:
    """Returns what is wrong with a block's arguments, nothing if they are of the kinds that it takes."""
    takes = arguments(block)
    names = ", ".join(one.name for one in takes)
    if not args or len(args) > len(takes):
        return f"{block} takes {names}, the first at least; it got {len(args)} arguments"
    for one, value in zip(takes, args, strict=False):
        if isinstance(one.default, bool):
            kind, fits = "true or false", isinstance(value, bool) or value in (0, 1)
        elif isinstance(one.default, float):
            kind, fits = "a number", is_number(value)
        else:
            kind, fits = "a whole number", is_whole(value) or isinstance(value, list)
        if not fits and value is not None and not isinstance(value, str):  # Ultralytics evaluates strings
            return f"{block} takes {names}, where {one.name} is {kind}, got {value}"
    return ""


def arguments(block: str) -> list[inspect.Parameter]:
    """Returns what a row says to a block: its parameters, without those that parse_model puts in, c1 and n."""
    takes = list(inspect.signature(getattr(modules, block)).parameters.values())
    if block == "ResNetLayer":  # its rows say both
        return takes
    if block == "TorchVision":  # c2 is for the parser alone
        return [inspect.Parameter("c2", inspect.Parameter.POSITIONAL_OR_KEYWORD), *takes]
    n = 4 if block == "HGBlock" else 2
    return [one for k, one in enumerate(takes) if k and (k, one.name) != (n, "n")]


def put(layer: nn.Module, inside: Inside) -> None:
    """Puts attention into a built layer, in place, at each of its `ends`.

    Raises:
        AttentionError: The layer holds no block that attention goes into, or the operator cannot be built with these
            options.
    """
    if not (found := ends(layer)):
        raise AttentionError(f"{type(layer).__name__} with these arguments holds no block to put attention into")
    check_options(inside.info, inside.options)
    for module, channels, cls in found:
        module.attn = own.built(inside.info, channels, inside.options)
        module.__class__ = cls
    if hasattr(layer, "np"):  # what parse_model writes on a layer: its number of parameters and its kind
        layer.np = sum(p.numel() for p in layer.parameters())  # type: ignore[assignment]
        layer.type = f"{layer.type}_{inside.info.name}"  # type: ignore[assignment,operator]


def ends(layer: nn.Module) -> list[tuple[Any, int, type]]:
    """Returns where attention goes in a built layer: the module that gets it, the channels there, its class with it.

    A sequence keeps its class: what is added to it runs behind the rest.
    """
    if found := bottlenecks(layer):
        return [(m, m.cv2.conv.out_channels, AttentionBottleneck) for m in found]
    return [end for m in layer.modules() if (end := branch_end(m))] or [
        (m, m.conv.out_channels, AttentionConv) for m in convolutions(layer)
    ]


def bottlenecks(layer: nn.Module) -> list[Bottleneck]:
    """Returns the bottlenecks in a built layer: Ultralytics' own, and subclasses that share its forward."""
    return [m for m in layer.modules() if isinstance(m, Bottleneck) and type(m).forward is Bottleneck.forward]


def branch_end(block: Any) -> tuple[Any, int, type] | None:
    """Returns the end of a block's residual branch, as `ends` does; None of a module that is no such block."""
    path = f"{type(block).__module__}.{type(block).__qualname__}"
    if path in REPLACED:
        return block, (block.bn3 if hasattr(block, "bn3") else block.bn2).num_features, REPLACED[path]
    if (end := getattr(block, BRANCHES.get(path, ""), None)) is None:
        return None
    return end, channels(end), AttentionConv if type(end) is Conv else type(end)


def channels(end: Any) -> int:
    """Returns the channels that the end of a branch gives: its last layer's, and of a GhostConv both halves."""
    if isinstance(end, nn.Sequential) and isinstance(end[-1], GhostConv):
        return 2 * end[-1].cv1.conv.out_channels
    given = {nn.Conv2d: "out_channels", nn.Linear: "out_features"}
    return next(getattr(m, given[type(m)]) for m in reversed(list(end.modules())) if type(m) in given)


def convolutions(layer: nn.Module) -> list[Conv]:
    """Returns the convolutions of a layer that is nothing else: one, or several in a row."""
    parts = list(layer) if isinstance(layer, nn.Sequential) else [layer]
    return [m for m in parts if type(m) is Conv] if all(type(m) is Conv for m in parts) else []


class _Named(logging.Filter):
    """Lets the table that parse_model prints show the attention in its blocks."""

    def __init__(self, lines: dict[str, tuple[str, str]]):
        super().__init__()
        self.lines = lines

    def filter(self, record: logging.LogRecord) -> bool:
        number = str(record.msg)[:3]
        plain, named = self.lines.get(number, ("", ""))
        record.msg = str(record.msg).replace(plain, named, 1) if plain else record.msg
        return True


@contextlib.contextmanager
def printed(layers: dict[int, Any], plain: dict[int, tuple[int, str]]) -> Iterator[None]:
    """Shows `layers`, built with attention, where parse_model prints their rows built without.

    Args:
        layers: The layers with attention, by their row.
        plain: Number of parameters and type that parse_model prints for each of these rows.
    """
    lines = {}
    for i, layer in layers.items():
        texts = [f"{np:10.0f}  {kind:<45}" for np, kind in (plain[i], (layer.np, layer.type))]
        lines[f"{i:>3}"] = texts[0], texts[1]
    named = _Named(lines)
    LOGGER.addFilter(named)
    try:
        yield
    finally:
        LOGGER.removeFilter(named)


class _Nothing(nn.Module):
    """Attention that lets nothing through: the shortcut is all that is left of a block."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * 0


def canary() -> None:
    """Compares a bottleneck and a convolution of Ultralytics with themselves, made ours, with no attention in them.

    Of the blocks with one input and one sum it looks whether their branch ends where attention is put.

    Raises:
        AttentionError: They differ: Ultralytics' own compute something else than ours do.
    """
    x = torch.linspace(-1, 1, 8 * 6).view(1, 8, 2, 3)
    made: list[tuple[Any, type]] = [(Bottleneck(8, 8, shortcut), AttentionBottleneck) for shortcut in (True, False)]
    for module, cls in [*made, (Conv(8, 8), AttentionConv)]:
        name, before = type(module).__name__, module.eval()(x)
        module.attn = nn.Identity()
        module.__class__ = cls
        require(torch.equal(before, module(x)), name)
    x = x.abs()
    for block in (CIB(8, 8), GhostBottleneck(8, 8), HGBlock(8, 8, 8, n=1, shortcut=True), ResNetBlock(8, 2)):
        found = branch_end(block.eval())
        require(found is not None, type(block).__name__)
        end, _, cls = found  # type: ignore[misc]
        end.attn = _Nothing()
        end.__class__ = cls
        require(torch.equal(block(x), x), type(block).__name__)


def require(same: bool, name: str) -> None:
    """Raises AttentionError where a module of Ultralytics', called `name`, is not what attention is put into."""
    if not same:
        raise AttentionError(f"the {name.lower()} of this ultralytics is another than the one attention is put into")
