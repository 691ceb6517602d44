"""Counts parameters and multiply-accumulates of every operator where its paper puts it, beside the published counts.

    python -m benchmarks.paper_tables        # writes benchmarks/results/paper_tables.md; a test renders it again

Nothing is computed: the networks are torchvision's on the meta device. Published figures stand here only with the place
they were read at; a figure that nobody looked up is said to be missing, not filled in from memory.
"""

import argparse
import copy
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode
from torchvision import models

from yolo_attn.nn import BAM, CBAM, ECA, GAM, GCT, SE, SRM, CoordAtt, FcaNet, GSoP, TripletAttention
from yolo_attn.registry import OPERATORS

FILE = Path(__file__).parent / "results" / "paper_tables.md"
MI = 2**20 / 1e6  # what a count in 2²⁰ calls a million

Build = Callable[[int], nn.Module]


# --- counting ---------------------------------------------------------------------------------------------------------


class Passes(TorchDispatchMode):
    """Counts elements that go into a pooling and come out of an element-wise product: one operation each."""

    POOLS = ("mean", "sum", "amax", "max", "linalg_vector_norm", "_adaptive_avg_pool2d", "max_pool2d_with_indices")

    def __init__(self):
        super().__init__()
        self.elements = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        name = function.overloadpacket.__name__
        if name in self.POOLS:
            self.elements += args[0].numel()
        elif name == "mul":
            self.elements += result.numel()
        return result


class Count(NamedTuple):
    """What a network costs: parameters, multiply-accumulates of convolutions and matrix products, and passes."""

    parameters: int
    products: int
    passes: int


def count(model: nn.Module, *shape: int) -> Count:
    """Returns the cost of `model` in evaluation on an input of `shape`; on the meta device nothing is computed."""
    model = copy.deepcopy(model).to("meta").eval()
    x = torch.empty(shape, device="meta")
    with torch.no_grad(), FlopCounterMode(display=False) as products, Passes() as passes:
        model(x)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    return Count(parameters, products.get_total_flops() // 2, passes.elements)


# --- networks ---------------------------------------------------------------------------------------------------------


def strided_first(model: nn.Module) -> nn.Module:
    """Moves a bottleneck's stride into its first convolution, where ResNet's paper has it; torchvision's is later."""
    for block in model.modules():
        if isinstance(block, models.resnet.Bottleneck):
            block.conv1.stride, block.conv2.stride = block.conv2.stride, block.conv1.stride
    return model


def in_blocks(build: Callable[..., nn.Module], model: nn.Module, by_stage: tuple[dict, ...] = ({},) * 4) -> nn.Module:
    """Puts an operator behind the last batch norm of every residual block, before the addition."""
    for stage, options in zip((model.layer1, model.layer2, model.layer3, model.layer4), by_stage, strict=True):
        for block in stage:
            last = "bn3" if isinstance(block, models.resnet.Bottleneck) else "bn2"
            norm = getattr(block, last)
            setattr(block, last, nn.Sequential(norm, build(norm.num_features, **options)))
    return model


def between_stages(build: Build, model: nn.Module) -> nn.Module:
    """Puts an operator behind each of the first three stages."""
    for name in ("layer1", "layer2", "layer3"):
        stage = getattr(model, name)
        norm = [layer for layer in stage.modules() if isinstance(layer, nn.BatchNorm2d)][-1]
        setattr(model, name, nn.Sequential(stage, build(norm.num_features)))
    return model


def before_convolutions(build: Build, model: nn.Module) -> nn.Module:
    """Puts an operator before every convolution of every residual block's main branch."""
    for block in model.modules():
        if isinstance(block, models.resnet.Bottleneck):
            for name in ("conv1", "conv2", "conv3"):
                conv = getattr(block, name)
                setattr(block, name, nn.Sequential(build(conv.in_channels), conv))
    return model


def behind_depthwise(build: Build, model: nn.Module) -> nn.Module:
    """Puts an operator behind the depthwise convolution of every inverted residual of MobileNetV2."""
    for block in model.modules():
        if isinstance(block, models.mobilenetv2.InvertedResidual):
            depthwise = block.conv[-3]
            block.conv[-3] = nn.Sequential(depthwise, build(depthwise.out_channels))
    return model


def last_stage_unstrided(model: nn.Module) -> nn.Module:
    """Takes the stride out of the last stage, as GSoP's authors do."""
    first = model.layer4[0]
    for conv in (first.conv1, first.conv2, first.downsample[0]):
        conv.stride = (1, 1)
    return model


class Neck(nn.ModuleList):
    """Operators behind the four C2f of YOLOv8-l's neck at 640 pixels, by themselves."""

    MAPS = ((512, 40), (256, 80), (512, 40), (512, 20))

    def __init__(self, build: Build):
        super().__init__(build(channels) for channels, _ in self.MAPS)

    def forward(self, x: torch.Tensor) -> None:
        for operator, (channels, size) in zip(self, self.MAPS, strict=True):
            operator(x.new_empty(1, channels, size, size))


# --- the tables -------------------------------------------------------------------------------------------------------


class Row(NamedTuple):
    """One network with one operator, what is published about it, and where."""

    name: str
    site: str
    change: Callable[[Any], nn.Module] = lambda model: model
    parameters: str = ""  # published, in millions, as printed there
    macs: str = ""  # published, in 10⁹, as printed there
    source: str = ""
    unit: float = 1.0  # what the published parameters call a million, over 10⁶
    why: str = ""


MISSING = "not verified here"
SRM_FIGURE, ECA_README = "figure in hyunjaelee410/srm", "README of BangguWu/ECANet"
TRIPLET_README, CA_README = "README of landskape-ai/triplet-attention", "README of houqb/CoordAttention"
ADDED = "before the residual addition of every block"
DEPTHWISE = "behind every depthwise convolution"

RESNET50_FIRST = (
    Row("none", "", parameters="25.56", macs="3.86", source=SRM_FIGURE),
    Row("SE", ADDED, partial(in_blocks, SE), "28.09", "3.87", SRM_FIGURE, why="With biases; without, 28.07 M."),
    Row(
        "SRM", ADDED, partial(in_blocks, SRM), "25.62", "3.88", SRM_FIGURE,
        why="MACs: ours goes over the map three times, for mean, deviation and product. A fourth time, which a "
        "variance in two steps takes, would make it 3.880.",
    ),
    Row(
        "ECA, kernels 3, 5, 5, 7", ADDED,
        partial(in_blocks, ECA, by_stage=tuple({"kernel_size": k} for k in (3, 5, 5, 7))),
        "24.37", "3.86", ECA_README, MI, "Counted in 2²⁰: the network did not shrink.",
    ),
    Row("ECA", ADDED, partial(in_blocks, ECA), why="The formula's kernels are 5, 5, 5, 7: 6 numbers more."),
    Row("CBAM", ADDED, partial(in_blocks, CBAM)),
    Row("BAM", "between the stages, three in all", partial(between_stages, BAM)),
    Row(
        "FcaNet", f"{ADDED}, sizes 56, 28, 14, 7",
        partial(in_blocks, FcaNet, by_stage=tuple({"size": size} for size in (56, 28, 14, 7))),
    ),
    Row("GCT", "before every convolution of a block", partial(before_convolutions, GCT)),
    Row("GAM, reduction 16", ADDED, partial(in_blocks, partial(GAM, reduction=16))),
    Row("GAM", ADDED, partial(in_blocks, GAM), why="reduction 4, as the widely copied file has it."),
    Row(
        "GSoP", f"{ADDED}, last stage with stride 1",
        lambda model: in_blocks(GSoP, last_stage_unstrided(model)),
        why="The last stage works on 14×14 instead of 7×7: its MACs are not to be compared with the other rows'.",
    ),
)  # fmt: skip
RESNET50 = (
    Row("none", "", why="torchvision's own: the stride stands in the 3×3 convolution."),
    Row(
        "TripletAttention", ADDED, partial(in_blocks, TripletAttention), "25.56", "4.169", TRIPLET_README,
        why="MACs: theirs count more than convolutions (0.034 beyond ours); the module adds 0.046 in products here.",
    ),
    Row("TripletAttention, kernel 3", ADDED, partial(in_blocks, partial(TripletAttention, kernel_size=3))),
)  # fmt: skip
RESNET18 = (
    Row("none", ""),
    *(Row(cls.__name__, ADDED, partial(in_blocks, cls)) for cls in (SE, CBAM, ECA, SRM, TripletAttention, FcaNet)),
    Row("BAM", "between the stages, three in all", partial(between_stages, BAM)),
    Row("GAM, reduction 16", ADDED, partial(in_blocks, partial(GAM, reduction=16))),
)
MOBILENET = (
    Row("none", "", parameters="3.5", macs="0.30", source=CA_README),
    Row("SE, reduction 24", DEPTHWISE, partial(behind_depthwise, partial(SE, reduction=24)), "3.89", "", CA_README,
        why="The reduction is not given there; 24 is what fits."),
    Row("CBAM, reduction 24", DEPTHWISE, partial(behind_depthwise, partial(CBAM, reduction=24)), "3.89", "", CA_README,
        why="The reduction is not given there; 24 is what fits."),
    Row("CoordAtt", DEPTHWISE, partial(behind_depthwise, CoordAtt), "3.95", "0.31", CA_README),
)  # fmt: skip
NECK = (
    Row(
        "GAM, groups 4, no channel sigmoid", "behind the four C2f of the neck",
        lambda _: Neck(partial(GAM, groups=4, channel_sigmoid=False)), "5.65", "9.0", "published table of YOLOv8-AM",
        why="Theirs with GAM less theirs with ECA, a few numbers: 49.29 − 43.64 M and (183.5 − 165.5) / 2 G. Less "
        "theirs without attention it is 5.68 M and 9.3 G, but so ECA costs 0.03 M and 0.3 G: they differ in more.",
    ),
)  # fmt: skip

NETWORKS: tuple[tuple[str, Callable[[], nn.Module], tuple[Row, ...]], ...] = (
    ("ResNet-50, the stride in the first 1×1 convolution", lambda: strided_first(models.resnet50()), RESNET50_FIRST),
    ("ResNet-50, the stride in the 3×3 convolution", models.resnet50, RESNET50),
    ("ResNet-18", models.resnet18, RESNET18),
    ("MobileNetV2", models.mobilenet_v2, MOBILENET),
    ("The neck of YOLOv8-l at 640 pixels: what the operators add", nn.Identity, NECK),
)

# Parameters of the authors' own classes, built and counted at 256 channels.
AUTHORS = {
    "CBAM": 8564, "BAM": 17361, "CoordAtt": 6680, "TripletAttention": 300, "GCT": 768, "SRM": 1024, "FcaNet": 8192,
    "ECA": 5,
}  # fmt: skip

HEAD = """\
# Parameters and multiply-accumulates, ours and published

Written by `python -m benchmarks.paper_tables`; a test renders it again. One image, 224×224 unless said otherwise.

- **M** is 10⁶ parameters, **G** is 10⁹ multiply-accumulates (MACs). Ultralytics prints GFLOPs: twice the MACs.
- *MACs* counts convolutions, linear layers and matrix products, no batch norm, activation or addition. *With passes*
  adds, for the operators, one for each element that is pooled or multiplied, as many papers count.
- *Published* is followed by ✓ where ours, rounded alike, is the same by one of the two counts.
- "not verified here": no figure was read at a source that could be named. None is filled in from memory.
"""


class Line(NamedTuple):
    """A row with its counts."""

    row: Row
    counted: Count
    passes: int  # of the operator, without the network's own

    @property
    def parameters_agree(self) -> bool:
        return same(self.row.parameters, self.counted.parameters / 1e6 / self.row.unit)

    @property
    def macs_agree(self) -> bool:
        products = self.counted.products
        return any(same(self.row.macs, macs / 1e9) for macs in (products, products + self.passes))

    def render(self) -> str:
        """Returns the row of the Markdown table."""
        row, macs = self.row, self.counted.products / 1e9
        published = (self.published(row.parameters, self.parameters_agree), self.published(row.macs, self.macs_agree))
        cells = (
            row.name, row.site, f"{self.counted.parameters / 1e6:.4f}", published[0], f"{macs:.4f}",
            f"{macs + self.passes / 1e9:.4f}", published[1], row.source or MISSING, row.why,
        )  # fmt: skip
        return f"| {' | '.join(cells)} |"

    def published(self, figure: str, agrees: bool) -> str:
        return f"{figure} {'✓' if agrees else '✗'}" if figure else "–"


def same(published: str, ours: float) -> bool:
    """Returns whether `ours`, written with as many digits, reads as published."""
    digits = len(published.partition(".")[2])
    return bool(published) and f"{ours:.{digits}f}" == published


@cache
def lines(build: Callable[[], nn.Module], rows: tuple[Row, ...]) -> list[Line]:
    """Returns the rows of one network, counted."""
    with torch.device("meta"):
        networks = [build(), *(row.change(build()) for row in rows)]
    plain, *counts = (count(network, 1, 3, 224, 224) for network in networks)
    return [Line(row, counted, counted.passes - plain.passes) for row, counted in zip(rows, counts, strict=True)]


def render() -> str:
    """Returns the document."""
    parts = [HEAD]
    for title, build, rows in NETWORKS:
        columns = ("operator", "where", "M", "published", "MACs, G", "with passes", "published", "source", "remarks")
        parts.append(f"## {title}\n")
        parts.append(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
        parts.append("\n".join(line.render() for line in lines(build, rows)) + "\n")
    parts.append("## The operators by themselves, 256 channels on 20×20\n")
    parts.append("| operator | parameters | the authors' class | MACs, 10⁶ | with passes |\n|---|---|---|---|---|")
    for info in OPERATORS:
        counted = count(info.cls(256), 1, 256, 20, 20)
        authors = AUTHORS.get(info.name)
        theirs = MISSING if authors is None else f"{authors} {'✓' if authors == counted.parameters else '✗'}"
        both = f"{counted.products / 1e6:.4f} | {(counted.products + counted.passes) / 1e6:.4f}"
        parts.append(f"| {info.name} | {counted.parameters} | {theirs} | {both} |")
    return "\n".join(parts) + "\n"


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    text = render()
    FILE.write_text(text, encoding="utf-8")
    print(text)
    print(f"written to {FILE}")


if __name__ == "__main__":
    main()
