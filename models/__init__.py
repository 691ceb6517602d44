"""The model YAMLs people start from: three base models, with the main operators in the backbone and before the head.

They are rendered, never edited: `python -m yolo_attn.models` writes them again from the installed Ultralytics. Their
names are those that need no file (`yolo_attn.surgery.names`): each file holds what its name would compose.
"""

from pathlib import Path

BASES = {"yolov5": "YOLOv5", "yolo11": "YOLO11", "yolo26": "YOLO26"}
OPERATORS = ("GAM", "CBAM", "ECA", "CoordAtt", "SE")  # a file for each; every operator can be a row
PLACES = ("backbone", "head")


def render_all() -> dict[str, str]:
    """Returns every shipped YAML's text by its file name."""
    from yolo_attn import insertion
    from yolo_attn.surgery import names

    return {
        f"{names.write(base, operator, [place])}.yaml": insertion.packaged_text(base, title, operator, place)
        for base, title in BASES.items()
        for operator in OPERATORS
        for place in PLACES
    }


def write_all(folder: Path) -> list[Path]:
    """Writes every shipped YAML into `folder` and returns the files."""
    files = []
    for name, text in render_all().items():
        files.append(folder / name)
        files[-1].write_text(text, encoding="utf-8")
    return files
