"""What sources are called, on the picture, in files, in JSON and on the page: each by itself, and nobody's password."""

import itertools
import re
from collections.abc import Sequence
from pathlib import Path

SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
# user:password@, which may hold any letter, so it ends at the last @ of a word; and what is a secret by its name, up to
# a space.
USER = re.compile(r"(?<=://)\S*@")
SECRET = re.compile(r"\b((?:\w*(?:pass|token|secret|auth|key|pwd|pw)\w*)\s*=\s*)(\"[^\"]*\"|\S+)", re.IGNORECASE)


def redacted(text: str) -> str:
    """Returns a text without the users, passwords and keys that URLs and pipelines in it hold."""
    return SECRET.sub(r"\1…", USER.sub("", text))


def is_pipeline(text: str) -> bool:
    """Tells whether a source is a GStreamer pipeline: elements with `!` between them, no URL and no file."""
    return "!" in text and not SCHEME.match(text) and not Path(text).exists()


def camera_name(where: int | str) -> str:
    """Returns what a camera is called: a URL without user, password and query, which are nobody's business."""
    if isinstance(where, int):
        return f"camera {where}"
    url = re.match(rf"{SCHEME.pattern}(?:\S*@)?([^/?#]*)([^?#]*)", where, re.IGNORECASE)
    return "GStreamer" if url is None else f"{url[1]}{url[2]}".rstrip("/")


def given_name(text: str) -> tuple[str, str]:
    """Returns the name in `door@rtsp://camera/live` and the source behind it; no name where it has none."""
    found = re.fullmatch(r"([\w .-]+)@(.+)", text)
    if not found or Path(text).exists():
        return "", text
    source = found[2]
    is_source = source.isdecimal() or SCHEME.match(source) or Path(source).exists() or is_pipeline(source)
    return (found[1], source) if is_source else ("", text)


def told_apart(names: Sequence[str], paths: Sequence[Path | None]) -> list[str]:
    """Returns names of which no two are alike: a file's with the folders that tell it from others, else with a number.

    Args:
        names: What the sources are called so far.
        paths: The file or folder of each; None for a camera.
    """
    found = list(names)
    for k, (name, path) in enumerate(zip(names, paths, strict=True)):
        alike = [other for j, other in enumerate(paths) if j != k and names[j] == name]
        if path is not None and alike:
            found[k] = ending(path, [p.absolute() for p in alike if p is not None and p != path]) or name
    for k, name in enumerate(found):
        if name in found[:k]:
            found[k] = next(new for n in itertools.count(2) if (new := f"{name} ({n})") not in found)
    return found


def ending(path: Path, others: Sequence[Path]) -> str:
    """Returns as much of a path's end as tells it from the absolute paths `others`; empty where nothing does."""
    parts = path.absolute().parts
    ends = ("/".join(parts[-count:]) for count in range(1, len(parts) + 1))
    return next((end for end in ends if not any(f"/{p.as_posix()}".endswith(f"/{end}") for p in others)), "")
