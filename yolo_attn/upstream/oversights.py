"""What `yolo_attn.surgery.wiring` finds in a model, with the bases that Ultralytics ships to compare it with."""

import functools
from pathlib import Path

from ultralytics.utils import LOGGER, ROOT

from yolo_attn.surgery import origin, wiring
from yolo_attn.surgery.check import file
from yolo_attn.surgery.origin import Bases
from yolo_attn.upstream import layout, releases


@functools.cache
def bases() -> Bases:
    """Returns the models that Ultralytics ships, read once: that takes some 50 ms."""
    return origin.by_kinds(releases.read_yaml(file) for file in sorted((ROOT / "cfg" / "models").rglob("*.yaml")))


def lines(model: dict) -> list[str]:
    """Returns a line for each row that is not wired as its author probably meant, with the mend."""
    name = Path(model.get("yaml_file") or "my.yaml").name
    return [
        wiring.text(model, finding) + (f" (yolo-attn fix {name} -o mended.yaml)" if finding.reads else "")
        for finding in wiring.find(model, bases, layout.layers)
    ]


def warn(model: dict) -> None:
    """Warns of each row that is not wired as its author probably meant; models without attention are not looked at."""
    for line in lines(model):
        LOGGER.warning(f"yolo_attn: {file(model)}, {line}")


def fix(model: dict) -> tuple[dict, list[str]]:
    """Returns a copy of `model` wired as it was probably meant, and a line for each change and each thing left."""
    return wiring.fix(model, bases, layout.layers)
