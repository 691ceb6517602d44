"""The model YAMLs people start from: three base models, with the main operators in the backbone and before the head.

They are rendered, never edited: `python -m yolo_attn.models` writes them again from the installed Ultralytics.
"""

from pathlib import Path

BASES = {"yolov5": "YOLOv5", "yolo11": "YOLO11", "yolo26": "YOLO26"}
OPERATORS = ("GAM", "CBAM", "ECA", "CoordAtt", "SE")  # a file for each; every operator can be a row
SUFFIXES = {"backbone": "", "head": "-head"}
PLACE_TEXTS = {
    "backbone": "after the P3, P4 and P5 stages of the backbone",
    "head": "before each input of the detection head",
}


def render_all() -> dict[str, str]:
    """Returns every shipped YAML's text by its file name."""
    from ultralytics.utils import YAML
    from ultralytics.utils.checks import check_yaml

    from yolo_attn import recipe, registry
    from yolo_attn.upstream import layout

    texts = {}
    for base, title in BASES.items():
        model = YAML.load(check_yaml(f"{base}.yaml"))
        strides = layout.strides(model)
        for operator in OPERATORS:
            for place, suffix in SUFFIXES.items():
                file = f"{base}-{operator.lower()}{suffix}.yaml"
                with_attention = recipe.insert(model, operator, place, strides)
                heading = (
                    f"{title} with {operator} {PLACE_TEXTS[place]}. AGPL-3.0\n"
                    f"Rendered by `python -m yolo_attn.models` from Ultralytics' {base}.yaml.\n\n"
                    f"    yolo train model={file.replace(base, base + 'n', 1)} data=shapes.yaml\n\n"
                    f"The letter after {base} picks the scale. Options go into a row's last brackets: "
                    f"[-1, 1, {operator}, [{{{next(iter(registry.get(operator).options))}: …}}]]"
                )
                texts[file] = recipe.render(with_attention, layout.strides(with_attention), heading)
    return texts


def write_all(folder: Path) -> list[Path]:
    """Writes every shipped YAML into `folder` and returns the files."""
    files = []
    for name, text in render_all().items():
        files.append(folder / name)
        files[-1].write_text(text, encoding="utf-8")
    return files
