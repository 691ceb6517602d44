"""Model dicts as people wire them by hand, with numbers left as they were, and what is found in them."""

import copy
from functools import cache

from ultralytics.nn import tasks

from tests.support.bases import BASES
from yolo_attn.surgery import recipe, wiring
from yolo_attn.upstream import layout
from yolo_attn.upstream.oversights import bases

NO_MAP = ("CBLinear", "ImagePoolingAttn")  # what no attention can follow


@cache
def base(stem: str) -> dict:
    """Returns the model dict of a base."""
    return tasks.yaml_model_load(f"{stem}.yaml")


def places(stem: str) -> list[int]:
    """Returns the rows of a base that attention can follow."""
    return [i for i, row in enumerate(recipe.all_rows(base(stem))[:-1]) if row[2] not in NO_MAP]


EVERYWHERE = [(stem, row) for stem in BASES for row in places(stem)]


def put_in(model: dict, *after: int) -> dict:
    """Returns a copy of `model` with attention behind some rows and every number as it was: as people forget it."""
    model, border = copy.deepcopy(model), len(model["backbone"])
    for row in sorted(after, reverse=True):
        part, i = ("backbone", row + 1) if row < border else ("head", row + 1 - border)
        model[part].insert(i, [-1, 1, "CBAM", []])
    return model


def rightly(model: dict, *after: int) -> dict:
    """Returns a copy of `model` with attention behind some rows, read by whatever read them."""
    for row in sorted(after, reverse=True):
        model = recipe.insert_after(model, row, "CBAM")
    return model


def reading(model: dict, **froms) -> dict:
    """Returns a copy of `model` with another `from` in some rows: `row_23=[15, 18, 21]`."""
    model = copy.deepcopy(model)
    for row, f in froms.items():
        recipe.all_rows(model)[int(row.removeprefix("row_"))][0] = f
    return model


def find(model: dict) -> list[wiring.Finding]:
    return wiring.find(model, bases, layout.layers)


def fix(model: dict) -> tuple[dict, list[str]]:
    return wiring.fix(model, bases, layout.layers)


def said(model: dict) -> list[str]:
    return [wiring.text(model, finding) for finding in find(model)]


def assert_mended(forgotten: dict, right: dict) -> None:
    """Asserts that what is wrong is found and mended, one line a row; or that nothing is, where nothing is wrong."""
    before = copy.deepcopy(forgotten)
    found = find(forgotten)
    assert bool(found) == (forgotten != right)
    assert len({finding.row for finding in found}) == len(found)
    assert all("should probably read" in line for line in said(forgotten))
    mended, lines = fix(forgotten)
    assert mended == right and forgotten == before
    rows = zip(recipe.all_rows(forgotten), recipe.all_rows(right), strict=True)
    assert [int(line.split()[1]) for line in lines] == [i for i, (old, new) in enumerate(rows) if old != new]
    assert find(mended) == []
