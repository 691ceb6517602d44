"""Where attention can be put, in the field's words, and which rows of a model dict each word means.

| place | means |
|---|---|
| `backbone` | after the block that ends each stage of the backbone, from P3 on |
| `stages` | the same from P2 on |
| `neck` | after the block that ends each stage of the neck, on the way down and up |
| `head` | before each input of the head; nothing else reads it |
| `backbone-P4`, `neck-P3`, `head-P5` | that level alone; a bare `P4` is `backbone-P4` |
| `sppf` | after the spatial pyramid pooling |
| `after:9` | after row 9 of the model that is handed in, attention that it has already counted |
| `in:backbone`, `in:neck-P4`, `in:9` | inside these blocks, before each residual sum |
| `instead:c2psa`, `instead:9` | in place of the blocks of that name, or of row 9, if they keep channels and stride |

Pure functions on model dicts; what Ultralytics makes of each row comes in as `Layer`s.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from yolo_attn import registry
from yolo_attn.errors import AttentionError
from yolo_attn.surgery.rows import BLOCKS, split_block

PARTS = ("backbone", "neck", "head")
# The words that places begin with.
PLACES = (*PARTS, "stages", "sppf", "P2", "P3", "P4", "P5", "P6", "after", "in", "instead")
POOLING = {"SPP", "SPPF", "SPPELAN"}
# What follows a stage's block, or branches off it, and is no block itself.
NO_BLOCK = {*POOLING, "C2PSA", "PSA", "C2fPSA", "AIFI", "CBLinear", "ImagePoolingAttn"} | {
    f"nn.{name}" for name in ("MaxPool2d", "ZeroPad2d", "Identity")
}
CONVOLUTIONS = {"Conv", "GhostConv", "DWConv", "SCDown", "AConv", "ADown"}
MERGES = {"Concat", "nn.Upsample", "nn.ConvTranspose2d", "CBFuse"}


@dataclass(frozen=True)
class Layer:
    """What Ultralytics makes of a row.

    Attributes:
        stride: Its output's stride in pixels; None where the output is no single map.
        channels: Its output's channels; None where the output is no single map.
        inside: At how many places inside it attention can be put.
        parameters: Its parameters.
        flops: Its floating point operations in one pass; None if unknown.
    """

    stride: int | None
    channels: int | None = None
    inside: int = 0
    parameters: int = 0
    flops: int | None = None

    @property
    def level(self) -> str:
        """The pyramid level, `P3` for stride 8."""
        return f"P{self.stride.bit_length() - 1}" if self.stride else ""


class Step(NamedTuple):
    """One attention: `after` row `row`, `in`side it, `instead` of it, or between it and the `head`."""

    how: str
    row: int


def find_steps(model: dict, at: str | Sequence[str], layers: Sequence[Layer]) -> list[Step]:
    """Returns the steps that the places `at` mean, each once.

    Args:
        model: The model dict.
        at: A place, several joined by commas, or a sequence of places.
        layers: What Ultralytics makes of each row before the last.

    Raises:
        AttentionError: A place is unknown or the model has no such place; the message says what there is.
    """
    words = [word.strip() for part in ([at] if isinstance(at, str) else at) for word in str(part).split(",")]
    finder = _Finder(model, layers)
    steps = [step for word in words for step in finder.find(word)]
    return list(dict.fromkeys(steps))


def everywhere(model: dict, layers: Sequence[Layer]) -> dict[str, Step]:
    """Returns every place that is worth a try, by its word, each of one row: what no two words mean is there once.

    After each block that ends a stage, from P2 on, of backbone and neck, and after the pooling; inside each block; and
    before an input of the head where other rows read it too, so that it is another place than after the block.
    """
    finder = _Finder(model, layers)
    after = {*finder._levels(2), *finder.parts["neck"], *finder._pooling()}
    inside = [
        i for i, layer in enumerate(layers)
        if layer.inside and finder.rows[i][2] in BLOCKS and finder.rows[i][2] not in CONVOLUTIONS
    ]  # fmt: skip
    levels = [layers[row].level for row in finder.parts["head"]]
    readers = [row for i in range(len(layers)) for row in finder._sources(i)]
    heads = [row for row in finder.parts["head"] if row in readers and levels.count(layers[row].level) == 1]
    found = {f"after:{row}": Step("after", row) for row in after} | {f"in:{row}": Step("in", row) for row in inside}
    found |= {f"head-{layers[row].level}": Step("head", row) for row in heads}
    return dict(sorted(found.items(), key=lambda one: (one[1].row, one[1].how)))


def meant(word: str) -> str:
    """Returns the word of a place that `word` probably means, or nothing."""
    return "in" if word.lower() in ("inside", "into", "within") else registry.nearest(word, PLACES)


class _Finder:
    """The places of one model."""

    def __init__(self, model: dict, layers: Sequence[Layer]):
        self.rows = [*model["backbone"], *model["head"]]
        self.border = len(model["backbone"])
        self.layers = layers
        self.parts = {
            "backbone": self._backbone(),
            "neck": list(self._neck()),
            "head": [row for row in self._sources(len(self.rows) - 1) if row >= 0 and layers[row].stride],
        }

    def find(self, word: str) -> list[Step]:
        """Returns the steps that one word means."""
        if re.fullmatch(r"instead[-:]?", word, re.IGNORECASE):
            raise AttentionError(f"'{word}' needs a block or a row behind it: instead:c2psa or instead:9")
        if match := re.fullmatch(r"instead[-:]?(.+)", word, re.IGNORECASE):
            return [Step("instead", self._replaceable(row, word)) for row in self._named(match[1], word)]
        if match := re.fullmatch(r"in[-:]?(.+)", word, re.IGNORECASE):
            return [Step("in", row) for row in self._with_insides(self._blocks(match[1], word), word)]
        if match := re.fullmatch(r"after[-:]?(\d+)", word, re.IGNORECASE):
            return [Step("after", self._behind(self._checked_map(int(match[1]))))]
        if word.lower() == "sppf":
            return [Step("after", self._behind(row)) for row in self._some(self._pooling(), word)]
        if word.lower() == "stages":
            return [Step("after", self._behind(row)) for row in self._some(self._levels(2), word)]
        part, level = self._part_and_level(word)
        rows = [row for row in self.parts[part] if level in ("", self.layers[row].level)]
        if part == "backbone" and not level:
            rows = self._levels(3)
        self._some(rows, word)
        return [Step("head", row) if part == "head" else Step("after", self._behind(row)) for row in rows]

    def _part_and_level(self, word: str) -> tuple[str, str]:
        match = re.fullmatch(r"(?:(backbone|neck|head)(?:[-:]?(P\d))?|(P\d))", word, re.IGNORECASE)
        if not match:
            raise AttentionError(
                f"unknown place '{word}'{registry.did_you_mean(meant(word))}; places are {self.there_are()}"
            )
        return (match[1] or "backbone").lower(), (match[2] or match[3] or "").upper()

    def _pooling(self) -> list[int]:
        return [i for i, row in enumerate(self.rows) if row[2] in POOLING]

    def _levels(self, first: int) -> list[int]:
        """Returns the ends of the backbone's stages from level `first` on."""
        return [row for row in self.parts["backbone"] if self.layers[row].stride >= 2**first]  # type: ignore[operator]

    def _blocks(self, place: str, word: str) -> list[int]:
        """Returns the rows whose insides `in:` and `place` mean."""
        if re.fullmatch(r"\d+", place):
            return [int(place)]
        steps = [step for step in self.find(place) if step.how != "head"]
        if not steps or re.match("after|in|sppf", place, re.IGNORECASE):
            raise AttentionError(f"'{word}' names no blocks; write in:backbone, in:neck, in:stages or in: and a row")
        return [self._before(step.row) for step in steps]

    def _named(self, block: str, word: str) -> list[int]:
        """Returns the rows of the blocks called `block`, or the row of that number."""
        if re.fullmatch(r"\d+", block):
            return [int(block)]
        if rows := [i for i, row in enumerate(self.rows) if row[2].lower() == block.lower()]:
            return rows
        there = dict.fromkeys(self.rows[i][2] for i in range(len(self.layers)) if not self._misfit(i))
        raise AttentionError(
            f"'{word}': this model has no block '{block}'; attention can stand instead of {', '.join(there) or 'none'}"
        )

    def _replaceable(self, row: int, word: str) -> int:
        """Returns `row` if attention can stand in its place."""
        if row >= len(self.layers):
            raise AttentionError(f"'{word}': no attention can stand instead of row {row}; write one from 0 to "
                                 f"{len(self.layers) - 1}")  # fmt: skip
        if why := self._misfit(row):
            can = ", ".join(f"instead:{i}" for i in range(len(self.layers)) if not self._misfit(i))
            mend = f"after:{row} keeps it" if self.layers[row].stride else "choose another place"
            raise AttentionError(
                f"'{word}': row {row}, {self.rows[row][2]}, {why}, and attention gives the map that it gets; "
                f"{mend}{f', and there is {can}' if can else ''}"
            )
        return row

    def _misfit(self, row: int) -> str:
        """Returns why attention cannot stand in the place of a row; nothing where it can."""
        layer, sources = self.layers[row], self._sources(row)
        if len(sources) > 1:
            return f"reads {len(sources)} rows"
        if sources[0] < 0:
            return "reads the image"
        before = self.layers[sources[0]]
        if not (layer.stride and before.stride):
            return "takes or gives no single map"
        if layer.stride != before.stride:
            return f"makes stride {layer.stride} of stride {before.stride}"
        return f"makes {layer.channels} channels of {before.channels}" if layer.channels != before.channels else ""

    def _with_insides(self, rows: list[int], word: str) -> list[int]:
        """Returns `rows` if attention can be put inside each."""
        can = [i for i, layer in enumerate(self.layers) if layer.inside and self.rows[i][2] in BLOCKS]
        for row in rows:
            if row < len(self.rows) and (split := split_block(self.rows[row][2])):
                raise AttentionError(f"'{word}': row {row}, {self.rows[row][2]}, has {split[1].name} inside already")
        if bad := [row for row in rows if row not in can]:
            names = ", ".join(f"{row} {self.rows[row][2]}" if row < len(self.rows) else str(row) for row in bad)
            blocks = [row for row in can if self.rows[row][2] not in CONVOLUTIONS] or can
            mend = ",".join(f"in:{row}" for row in [row for row in rows if row in can] or blocks)
            mend = f"write {mend}" if mend else "this model has no such block"
            raise AttentionError(f"'{word}': row {names} is no block that attention goes into; {mend}")
        return rows

    def _checked_map(self, row: int) -> int:
        """Returns `row` if its output is a map that attention can follow."""
        if row >= len(self.layers):
            raise AttentionError(f"nothing can follow row {row}; rows are 0 to {len(self.layers) - 1}")
        if self.layers[row].stride is None:
            raise AttentionError(f"attention cannot follow row {row}, {self.rows[row][2]}: its output is no single map")
        return row

    def _some(self, rows: list[int], word: str) -> list[int]:
        if not rows:
            raise AttentionError(f"this model has no '{word}'; places are {self.there_are()}")
        return rows

    def there_are(self) -> str:
        """Returns this model's places, for an error line."""
        found = []
        for part, rows in self.parts.items():
            levels = sorted({self.layers[row].level for row in rows})
            found += [f"{part} ({', '.join(levels)})"] if rows else []
        found += ["stages"] if self._levels(2) else []
        found += ["sppf"] if self._pooling() else []
        inside = "in:backbone, in:neck or in:ROW"
        return ", ".join([*found, "after:ROW", inside, "instead:ROW or instead:BLOCK where channels and stride stay"])

    def _backbone(self) -> list[int]:
        """Returns the row that ends each stage of the backbone, before any pooling that follows it."""
        last: dict[int, int] = {}
        rows = self.rows[: min(self.border, len(self.layers))]  # a model may end with its backbone
        for i, row in enumerate(rows):
            stride = self.layers[i].stride
            if stride and stride > 1 and row[2] not in NO_BLOCK and not registry.find(row[2]):
                last[stride] = i
        return sorted(last.values())

    def _neck(self) -> Iterator[int]:
        """Yields the row that ends each stage of the neck.

        A stage is a run of rows of one stride, which begins anew where maps are merged. It ends at the rows that the
        head reads; in a stage that the head does not read, at its last block.
        """
        end = len(self.rows) - 1
        read_by_head = {self._before(row) for row in self._sources(end)}
        run: list[int] = []
        for i in range(self.border, end + 1):
            row = self.rows[i]
            new_run = i == end or isinstance(row[0], list) or self.layers[i].stride != self.layers[i - 1].stride
            if new_run and run:
                blocks = [j for j in run if self._is_neck_block(j)]
                yield from [j for j in run if j in read_by_head] or blocks[-1:]
                run = []
            run.append(i)

    def _is_neck_block(self, i: int) -> bool:
        _, repeats, name, _ = self.rows[i]
        if self.layers[i].stride is None or name in NO_BLOCK or name in MERGES or registry.find(name):
            return False
        return name not in CONVOLUTIONS or repeats > 1

    def _sources(self, i: int) -> list[int]:
        f = self.rows[i][0]
        return [x if x >= 0 else i + x for x in (f if isinstance(f, list) else [f])]

    def _behind(self, row: int) -> int:
        """Returns the last of the attention rows that follow `row` already, or `row`; more attention comes after it."""
        while row + 1 < len(self.layers) and registry.find(self.rows[row + 1][2]) and self._sources(row + 1) == [row]:
            row += 1
        return row

    def _before(self, row: int) -> int:
        """Returns the row that attention at `row` was put behind, or `row` if it is none."""
        while row > 0 and registry.find(self.rows[row][2]):
            row = self._sources(row)[0]
        return row
