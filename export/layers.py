"""Which attention layer a node of an exported graph belongs to: exporters write the path of its module in its name."""

from collections.abc import Iterable


def layer_of(names: Iterable[str], layers: Iterable[str]) -> str:
    """Returns the one of `layers`, such as `model.9` or `model.4.m.0.attn`, that the first of `names` to lie in one
    lies in; empty if none does."""
    layers = list(layers)
    paths = [path_of(name) for name in names]
    return next((layer for path in paths for layer in layers if path.startswith(f"{layer}.")), "")


def path_of(name: str) -> str:
    """Returns `/model.4/m/m.0/attn/Mul` as `model.4.m.0.attn.Mul`: a child of a called container carries its name."""
    parts: list[str] = []
    for part in name.strip("/").split("/"):
        if parts and part.startswith(f"{parts[-1]}."):
            parts.pop()
        parts.append(part)
    return ".".join(parts)
