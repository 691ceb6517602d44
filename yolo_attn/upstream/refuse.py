"""Seam of last resort: where the patch layer cannot work, a model with attention is refused with the reason."""

from yolo_attn.errors import AttentionError

_original = None


def install(reason: AttentionError) -> None:
    """Makes `parse_model` raise `reason` for a model with attention rows; every other model is built as ever."""
    global _original
    from ultralytics.nn import tasks

    from yolo_attn.surgery.rows import is_attention
    from yolo_attn.upstream.rebind import rebind

    original = tasks.parse_model

    def parse_model(d, *args, **kwargs):
        names = [row[2] for row in [*d["backbone"], *d["head"]] if isinstance(row[2], str)]
        if any(not hasattr(tasks, name) and is_attention(name) for name in names):
            raise reason
        return original(d, *args, **kwargs)

    _original = (original, parse_model)
    rebind(original, parse_model)


def installed() -> bool:
    """Tells whether models with attention are refused."""
    return _original is not None


def uninstall() -> None:
    """Puts `parse_model` back."""
    global _original
    if _original is not None:
        from yolo_attn.upstream.rebind import rebind

        rebind(_original[1], _original[0])
        _original = None
