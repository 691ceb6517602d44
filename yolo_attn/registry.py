"""The operators by name: what each is, where it comes from, and what people call it in their YAML rows."""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from yolo_attn.errors import AttentionError
from yolo_attn.nn import (
    BAM,
    CBAM,
    ECA,
    GAM,
    GCT,
    SE,
    SRM,
    Attention,
    BiAttention,
    CoordAtt,
    EncNet,
    FcaNet,
    GSoP,
    NonLocal,
    TripletAttention,
)


@dataclass(frozen=True)
class AttentionInfo:
    """One operator.

    Attributes:
        name: The row's name in a model YAML.
        cls: The module, built as `cls(channels, **options)`.
        kind: The survey's taxonomy: channel (what), spatial (where), temporal (when), branch (which).
        title: What the operator weighs and how, in half a line.
        paper: The paper's arXiv number; empty where it is not on arXiv.
        year: Year of the paper.
        positional: Options that rows in circulation give as bare numbers after the channels, in their order.
        aliases: Class names in circulation for the same operator.
    """

    name: str
    cls: type[Attention]
    kind: str
    title: str
    paper: str
    year: int
    positional: tuple[str, ...]
    aliases: tuple[str, ...]

    @property
    def options(self) -> dict[str, object]:
        """The options a row may set, with their defaults."""
        return self.cls.options()

    def parameters(self, channels: int, **options) -> int:
        """Returns how many parameters the operator has on a map of `channels`."""
        return sum(parameter.numel() for parameter in self.cls(channels, **options).parameters())


CHANNELS = 256  # of the table's counts

OPERATORS = (
    AttentionInfo(
        name="GAM",
        cls=GAM,
        kind="channel and spatial",
        title="full-size channel gate per pixel, then two 7×7 convolutions",
        paper="2112.05561",
        year=2021,
        positional=("reduction",),
        aliases=("GAM_Attention", "GAMAttention", "GAMAtt", "GlobalAttention"),
    ),
    AttentionInfo(
        name="CBAM",
        cls=CBAM,
        kind="channel and spatial",
        title="channel gate from max and mean, then a 7×7 spatial gate",
        paper="1807.06521",
        year=2018,
        positional=("reduction", "kernel_size"),
        aliases=("CBAMBlock", "CBAM_Attention", "CBAMAttention", "CBAMLayer"),
    ),
    AttentionInfo(
        name="ECA",
        cls=ECA,
        kind="channel",
        title="each channel's mean looks at its k neighbours",
        paper="1910.03151",
        year=2020,
        positional=("kernel_size",),
        aliases=("ECAAttention", "ECA_Attention", "eca_layer", "ECALayer", "ECABlock", "EfficientChannelAttention"),
    ),
    AttentionInfo(
        name="CoordAtt",
        cls=CoordAtt,
        kind="channel and spatial",
        title="one gate per row and one per column",
        paper="2103.02907",
        year=2021,
        positional=("reduction",),
        aliases=(
            "CA",
            "CABlock",
            "CoordinateAttention",
            "CoordAttention",
            "Coord_Attention",
            "CA_Block",
            "CAAttention",
        ),
    ),
    AttentionInfo(
        name="SE",
        cls=SE,
        kind="channel",
        title="channel gate from the mean through a two-layer perceptron",
        paper="1709.01507",
        year=2018,
        positional=("reduction",),
        aliases=("SEAttention", "SE_Attention", "SELayer", "SEBlock", "SE_Block", "SqueezeExcitation"),
    ),
    AttentionInfo(
        name="BAM",
        cls=BAM,
        kind="channel and spatial",
        title="channel branch and dilated spatial branch, summed into one gate above 1",
        paper="1807.06514",
        year=2018,
        positional=("reduction",),
        aliases=("BAMBlock", "BAM_Attention", "BAMAttention"),
    ),
    AttentionInfo(
        name="TripletAttention",
        cls=TripletAttention,
        kind="channel and spatial",
        title="mean of three gates, over (C, W), (H, C) and (H, W)",
        paper="2010.03045",
        year=2021,
        positional=("kernel_size",),
        aliases=("Triplet", "TAM", "TripletAtt"),
    ),
    AttentionInfo(
        name="GSoP",
        cls=GSoP,
        kind="channel",
        title="gate from the covariance of the channels",
        paper="1811.12006",
        year=2019,
        positional=(),
        aliases=("GSoPBlock", "GSoPNet"),
    ),
    AttentionInfo(
        name="SRM",
        cls=SRM,
        kind="channel",
        title="each channel's mean and deviation, its style",
        paper="1903.10829",
        year=2019,
        positional=(),
        aliases=("SRMLayer", "SRMAttention"),
    ),
    AttentionInfo(
        name="GCT",
        cls=GCT,
        kind="channel",
        title="channels compete by their norms; starts as identity",
        paper="1909.11519",
        year=2020,
        positional=(),
        aliases=("GatedChannelTransform", "GatedChannelTransformation"),
    ),
    AttentionInfo(
        name="FcaNet",
        cls=FcaNet,
        kind="channel",
        title="SE on many cosine frequencies instead of the mean",
        paper="2012.11879",
        year=2021,
        positional=("reduction",),
        aliases=("Fca", "FcaLayer", "FcaAttention", "MultiSpectralAttentionLayer"),
    ),
    AttentionInfo(
        name="EncNet",
        cls=EncNet,
        kind="channel",
        title="spread around learnt codewords; adds a loss on the classes present",
        paper="1803.08904",
        year=2018,
        positional=(),
        aliases=("EncModule", "ContextEncoding"),
    ),
    AttentionInfo(
        name="BiAttention",
        cls=BiAttention,
        kind="channel",
        title="products of a pixel's features, weighed by their mean",
        paper="",
        year=2019,
        positional=("reduction",),
        aliases=("BilinearAttention", "AiA"),
    ),
    AttentionInfo(
        name="NonLocal",
        cls=NonLocal,
        kind="spatial",
        title="each pixel adds a weighed mean of all; starts as identity",
        paper="1711.07971",
        year=2018,
        positional=("reduction",),
        aliases=("NonLocalBlock", "SelfAttention", "NonLocalAttention"),
    ),
)


def names() -> list[str]:
    """Returns the operators' names."""
    return [info.name for info in OPERATORS]


def find(name: object) -> AttentionInfo | None:
    """Returns the operator called `name`, or None. Case, `_`, `-` and a leading `yolo_attn.` do not matter."""
    return _by_key().get(_key(name)) if isinstance(name, str) else None


def get(name: str) -> AttentionInfo:
    """Returns the operator called `name`.

    Raises:
        AttentionError: No operator is called that; the message gives the nearest names.
    """
    info = find(name)
    if info is None:
        raise AttentionError(f"unknown attention '{name}'{did_you_mean(name)}; there are {', '.join(names())}")
    return info


def did_you_mean(name: str) -> str:
    """Returns `, did you mean 'CBAM'?` with the nearest operator's name, or nothing when none is near."""
    return nearest(name, {_key(alias): info.name for info in OPERATORS for alias in (info.name, *info.aliases)})


def nearest(word: str, known: Iterable[str]) -> str:
    """Returns `, did you mean 'neck'?`, the nearest of `known`, or nothing; a mapping says what to write for each."""
    says = known if isinstance(known, Mapping) else {_key(one): one for one in known}
    found = difflib.get_close_matches(_key(word), says, n=1, cutoff=0.6)
    return f", did you mean '{says[found[0]]}'?" if found else ""


def table() -> str:
    """Returns the operators as a Markdown table."""
    heads = ("row", "kind", "what it does", "paper", f"parameters at {CHANNELS} channels", "options and their defaults")
    rows = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for info in OPERATORS:
        link = f"[{info.year}](https://arxiv.org/abs/{info.paper})" if info.paper else str(info.year)
        options = ", ".join(f"`{option}: {_yaml(default)}`" for option, default in info.options.items())
        rows.append(
            f"| `{info.name}` | {info.kind} | {info.title} | {link} | {info.parameters(CHANNELS):,} | {options} |"
        )
    return "\n".join(rows)


def _yaml(default: object) -> str:
    return "by formula" if default is None else str(default).lower()


def _key(name: str) -> str:
    return name.removeprefix("yolo_attn.").replace("_", "").replace("-", "").lower()


def _by_key() -> dict[str, AttentionInfo]:
    return {_key(name): info for info in OPERATORS for name in (info.name, *info.aliases)}


def _write_readme_table() -> None:
    """Puts the table between its marks in README.md, in the current folder."""
    from pathlib import Path

    file = Path("README.md")
    head, _, rest = file.read_text(encoding="utf-8").partition("<!-- operators:")
    mark, _, rest = rest.partition("-->\n")
    _, _, tail = rest.partition("<!-- /operators -->")
    text = f"{head}<!-- operators:{mark}-->\n\n{table()}\n\n<!-- /operators -->{tail}"
    file.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    _write_readme_table()
