"""Seam of last resort: where the patch layer cannot work, a model with attention is refused with the reason."""

import functools
import re
from pathlib import Path

from yolo_attn.errors import AttentionError

_replaced: list[tuple] = []  # what was there, and what stands there now


def install(reason: AttentionError) -> None:
    """Makes Ultralytics raise `reason` for rows and names with attention; every other model is built as ever."""
    from ultralytics.nn import tasks

    from yolo_attn import registry
    from yolo_attn.surgery.rows import is_attention
    from yolo_attn.upstream.rebind import rebind

    original, load = tasks.parse_model, tasks.yaml_model_load

    @functools.wraps(original)
    def parse_model(d, *args, **kwargs):
        names = [row[2] for row in [*d["backbone"], *d["head"]] if isinstance(row[2], str)]
        if any(not hasattr(tasks, name) and is_attention(name) for name in names):
            raise reason
        return original(d, *args, **kwargs)

    @functools.wraps(load)
    def yaml_model_load(path):
        try:
            return load(path)
        except FileNotFoundError:
            if any(map(registry.find, re.split("[-_.]", Path(path).stem)[1:])):
                raise reason from None
            raise

    for old, new in ((original, parse_model), (load, yaml_model_load)):
        _replaced.append((old, new))
        rebind(old, new)


def installed() -> bool:
    """Tells whether models with attention are refused."""
    return bool(_replaced)


def uninstall() -> None:
    """Puts Ultralytics' functions back."""
    from yolo_attn.upstream.rebind import rebind

    while _replaced:
        old, new = _replaced.pop()
        rebind(new, old)
