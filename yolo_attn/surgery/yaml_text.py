"""The YAML text of a model dict, each row with its number, level and role beside it."""

from collections.abc import Sequence

import yaml

from yolo_attn.surgery.places import Layer
from yolo_attn.surgery.rows import is_attention


def render(model: dict, layers: Sequence[Layer], heading: str) -> str:
    """Returns the YAML of `model` with `heading` as comment on top.

    What Ultralytics adds to a model dict when it reads a file, the file's name and its scale letter, is left out.
    """
    lines = [f"# {line}".rstrip() for line in heading.splitlines()] + [""]
    for key, value in model.items():
        if key == "scales":
            lines += ["scales: # [depth, width, max_channels]", *(f"  {k}: {_flow(v)}" for k, v in value.items())]
        elif key not in ("backbone", "head", "scale", "yaml_file"):
            lines.append(f"{key}: {_flow(value)}")
    number = 0
    for part in ("backbone", "head"):
        lines += ["", f"{part}:", "  # [from, repeats, module, args] # row, level/stride"]
        for row in model[part]:
            lines.append(f"  - {_flow(row)} # {_note(row, number, layers[number : number + 1])}")
            number += 1
    return "\n".join(lines) + "\n"


def _note(row: list, number: int, layer: Sequence[Layer]) -> str:
    level = "".join(f" {one.level}/{one.stride}" for one in layer if one.stride)
    return f"{number}{level}{' attention' if is_attention(row[2]) else ''}"


def _flow(value) -> str:
    return yaml.safe_dump(value, default_flow_style=True, width=10000, sort_keys=False).removesuffix("...\n").strip()
