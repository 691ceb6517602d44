"""Attention modules for Ultralytics YOLO, as an installed add-on.

Importing this package loads neither torch nor ultralytics; each function imports what it needs when it is called. It
arms the start-up hook where that did not run: `python -S`, a folder on PYTHONPATH, a kernel that was running already.
"""

from yolo_attn import boot

__version__ = "0.1.0"
__all__ = ["get", "insert", "live", "names", "register", "remove", "table"]


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
    """Returns the operators as a Markdown table: name, kind, paper, year, parameters, options."""
    from yolo_attn.view import operators

    return operators.table()


def register(cls, name: str = ""):
    """Makes a class of yours an operator, called `name` or as the class, and returns its `AttentionInfo`.

    Args:
        cls: A subclass of `yolo_attn.nn.Attention`, or any `nn.Module` whose constructor takes the channels, and the
            rest by default, and whose forward takes one map `(N, C, H, W)` and keeps its shape.
        name: The row's name.

    Raises:
        AttentionError: The class is none that can be an operator, or the name is taken.
    """
    from yolo_attn.nn import own

    return own.register(cls, name)


def insert(model, attention: str, at="backbone", **options) -> dict:
    """Returns a model dict with attention put in: `insert("yolo26n.yaml", "cbam", at="P5", reduction=8)`.

    Args:
        model: A model YAML's name or path, or a model dict, which is not changed.
        attention: The operator's name.
        at: One place or several: `backbone`, `neck`, `head`, `P5`, `neck-P3`, `in:backbone`, …
            (`yolo_attn.surgery.places`).
        options: The operator's options.

    Raises:
        AttentionError: The operator, an option or a place is unknown, or the model has no such place.
    """
    from yolo_attn import insertion

    return insertion.insert(model, attention, at, **options)


def remove(model) -> dict:
    """Returns a model dict without attention: the base that `insert` put it into."""
    from yolo_attn import insertion

    return insertion.remove(model)


boot.arm()


def __getattr__(name: str):
    """Imports `yolo_attn.export` and `yolo_attn.live` when first asked for; the latter is called as a function."""
    if name in ("export", "live"):
        from importlib import import_module

        return import_module(f"yolo_attn.{name}")
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
