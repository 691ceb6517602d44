"""YAML files in tests, in every release of Ultralytics."""

from pathlib import Path

import yaml

from yolo_attn.upstream.releases import read_yaml as read

__all__ = ["read", "write"]


def write(file: str | Path, content: dict) -> None:
    """Writes `content` to a YAML file."""
    Path(file).write_text(yaml.safe_dump({k: str(v) if isinstance(v, Path) else v for k, v in content.items()}))
