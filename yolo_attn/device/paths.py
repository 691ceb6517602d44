"""Which node of an exported graph belongs to which attention layer: by the module path that its name carries."""

import re
from collections.abc import Iterable

KEY = "attention"  # of the file's metadata


def described(written: str) -> dict[str, str]:
    """Returns each attention layer's module path and its options, as the exporter wrote them into the metadata.

    For instance `{"model.9": "GAM(256, reduction=4)"}`; empty for a model without attention.
    """
    return dict(layer.split(" ", 1) for layer in written.split("; ") if layer)  # type: ignore[misc]


def layer_of(node: str, layers: Iterable[str]) -> str | None:
    """Returns the layer of `layers` in which the node named `node` lies, or None.

    torch names a node by the modules around it, `/model.6/m/m.0/attn/gates.0/Relu`: a child of a list repeats its name.
    """
    path: list[str] = []
    for scope in node.strip("/").split("/"):
        if path and scope.startswith(path[-1] + "."):
            path.pop()
        path.append(scope)
    name = ".".join(path) + "."
    found = re.search(r"model\.\d.*", name)
    return next((layer for layer in layers if found and found[0].startswith(layer + ".")), None)
