"""What is said of a file that says nothing of itself: its task and its classes' names."""

from pathlib import Path
from typing import NamedTuple

from yolo_attn.errors import AttentionError


class Given(NamedTuple):
    """What `task=` and `names=` say; empty where they say nothing."""

    task: str = ""
    names: tuple[str, ...] = ()


NOTHING = Given()


def read(task: str, names: str) -> Given:
    """Returns what the two keys say. `names` are words with commas, a file with a name a line, or a data set's YAML.

    Raises:
        AttentionError: The file cannot be read, or has no names.
    """
    if Path(names).suffix not in (".txt", ".names", ".yaml", ".yml"):
        return Given(task, tuple(word.strip() for word in names.split(",") if word.strip()))
    try:
        text = Path(names).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise AttentionError(f"names={names} cannot be read: {why}") from None
    found = of_yaml(names, text) if Path(names).suffix in (".yaml", ".yml") else text.splitlines()
    lines = tuple(line.strip() for line in found if line.strip())
    if not lines:
        raise AttentionError(f"names={names} has no names: write one a line, or names: as a data set has them")
    return Given(task, lines)


def of_yaml(file: str, text: str) -> list[str]:
    """Returns the names of a data set's YAML."""
    try:
        import yaml
    except ImportError:
        raise AttentionError(f"names={file} needs PyYAML: pip install pyyaml, or a file with a name a line") from None
    try:
        said = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise AttentionError(f"names={file} is no YAML: {' '.join(str(error).split())}") from None
    names = said.get("names") if isinstance(said, dict) else None
    if isinstance(names, dict) and sorted(names, key=str) == sorted(range(len(names)), key=str):
        names = [names[number] for number in range(len(names))]
    return [str(name) for name in names] if isinstance(names, list) else []
