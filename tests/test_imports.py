"""Imports point down only: the package's import graph, drawn from its sources, has no circle and no arrow upwards."""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from importlib.resources import files
from pathlib import Path

import pytest

# From the top down: a module imports what stands below its own line, or within its own name here.
ORDER = (
    "cli",
    "placement",
    "evidence",
    "doctor view contract models",
    "insertion",
    "boot",
    "upstream",
    "export data",
    "surgery",
    "registry",
    "nn",
    "ops",
    "live",
    "device tolerance archive",
    "errors",
)
LEVELS = {name: level for level, line in enumerate(ORDER) for name in line.split()}
# `live` runs where the rest is not even installed: it knows the errors and whether a file is whole.
ALONE = {"live": {"live", "archive", "device", "errors"}}
# What the package itself hands out by thin lazy functions is below nothing: `import yolo_attn` loads none of it.
FACADE = "yolo_attn"


def modules() -> dict[str, Path]:
    """Returns every module of the package, those that lie at the repository's top included, by its full name."""
    found = {}
    for root in ("yolo_attn", "yolo_attn.models", "yolo_attn.data", "yolo_attn.export"):
        folder = Path(str(files(root)))
        for file in folder.rglob("*.py"):
            parts = file.relative_to(folder).with_suffix("").parts
            name = ".".join([root, *parts]).removesuffix(".__init__")
            found[name] = file
    return found


def imported(name: str, source: str, known: set[str]) -> Iterator[str]:
    """Yields the modules of the package that a module's source imports, wherever in it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module in known:
            for alias in node.names:
                one = f"{node.module}.{alias.name}"
                yield one if one in known else str(node.module)


def room(module: str) -> str:
    """Returns the room of a module: `upstream` of `yolo_attn.upstream.parse`."""
    return module.split(".")[1] if module != FACADE else FACADE


def graph() -> dict[str, set[str]]:
    found = modules()
    return {name: set(imported(name, file.read_text(), set(found))) - {name, FACADE} for name, file in found.items()}


def upward(edges: dict[str, set[str]]) -> list[str]:
    """Returns the arrows against the order, for the error line."""
    found = []
    for module, targets in edges.items():
        for target in targets if module != FACADE else ():
            a, b = room(module), room(target)
            if a != b and (LEVELS[b] <= LEVELS[a] or b not in ALONE.get(a, {b})):
                found.append(f"{module} → {target}")
    return found


def test_every_room_has_its_place_in_the_order():
    assert {room(module) for module in modules()} - {FACADE} == set(LEVELS)


def test_no_import_runs_up():
    assert not upward(graph())


def test_no_circle():
    TopologicalSorter(graph()).prepare()


@pytest.mark.parametrize(
    "edges",
    [
        {"yolo_attn.nn.cbam": {"yolo_attn.registry"}},
        {"yolo_attn.export.fused": {"yolo_attn.upstream.parse"}},
        {"yolo_attn.live.model": {"yolo_attn.tolerance"}},
    ],
)
def test_an_arrow_upwards_is_seen(edges):
    assert upward(edges)


def test_a_circle_is_seen():
    with pytest.raises(CycleError):
        TopologicalSorter({"a": {"b"}, "b": {"c"}, "c": {"a"}}).prepare()


def test_lazy_imports_are_seen():
    source = (
        "def f():\n    from yolo_attn import registry\n    from yolo_attn.nn import GAM\n    import yolo_attn.boot\n"
    )
    known = {"yolo_attn", "yolo_attn.registry", "yolo_attn.nn", "yolo_attn.boot"}
    assert set(imported("x", source, known)) == {"yolo_attn.registry", "yolo_attn.nn", "yolo_attn.boot"}
