"""The operators by name: what each is, where it comes from, and what people call it in their YAML rows."""

import difflib
from dataclasses import dataclass

from yolo_attn.errors import AttentionError
from yolo_attn.nn import CBAM, ECA, GAM, SE, Attention, CoordAtt


@dataclass(frozen=True)
class AttentionInfo:
    """One operator.

    Attributes:
        name: The row's name in a model YAML.
        cls: The module, built as `cls(channels, **options)`.
        kind: The survey's taxonomy: what is weighed.
        title: What the operator weighs and how, in half a line.
        paper: The paper's arXiv number.
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
)


def names() -> list[str]:
    """Returns the operators' names."""
    return [info.name for info in OPERATORS]


def find(name: str) -> AttentionInfo | None:
    """Returns the operator called `name`, or None. Case, `_`, `-` and a leading `yolo_attn.` do not matter."""
    return _by_key().get(_key(name))


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
    known = _by_key()
    nearest = difflib.get_close_matches(_key(name), known, n=1, cutoff=0.6)
    return f", did you mean '{known[nearest[0]].name}'?" if nearest else ""


def table() -> str:
    """Returns the operators as a Markdown table."""
    rows = ["| row | kind | what it does | paper | options and their defaults |", "|---|---|---|---|---|"]
    for info in OPERATORS:
        link = f"[{info.year}](https://arxiv.org/abs/{info.paper})"
        options = ", ".join(f"`{option}: {_yaml(default)}`" for option, default in info.options.items())
        rows.append(f"| `{info.name}` | {info.kind} | {info.title} | {link} | {options} |")
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
