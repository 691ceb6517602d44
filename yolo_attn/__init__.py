"""Attention modules for Ultralytics YOLO, as an installed add-on.

Importing this package loads neither torch nor ultralytics; each function imports what it needs when it is called.
"""

__version__ = "0.1.0"
__all__ = ["get", "names", "table"]


def names() -> list[str]:
    """Returns the attention operators' names, as model YAML rows write them."""
    from yolo_attn import registry

    return registry.names()


def get(name: str):
    """Returns the `AttentionInfo` of `name`; case, `_` and `-` do not matter, and the names in common use are known.

    Raises:
        AttentionError: No operator is called that; the message gives the nearest names.
    """
    from yolo_attn import registry

    return registry.get(name)


def table() -> str:
    """Returns the operators as a Markdown table: name, kind, paper, year, options."""
    from yolo_attn import registry

    return registry.table()
