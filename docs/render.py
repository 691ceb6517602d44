"""`python -m docs.render`: writes everything again that is rendered: the model YAMLs, and the tables in the documents.

A table stands in a document between `<!-- rendered: NAME -->` and `<!-- /rendered -->`, each on a line of its own. A
test compares them.
"""

import re
from collections.abc import Callable
from pathlib import Path

import yolo_attn
from docs import row_forms, tables
from yolo_attn import models

ROOT = Path(__file__).parent.parent
MARKS = re.compile(r"^<!-- rendered: (\S+) -->$.*?^<!-- /rendered -->$", re.DOTALL | re.MULTILINE)
TABLES: dict[str, Callable[[], str]] = {
    "operators": yolo_attn.table,
    "row-forms": row_forms.table,
    "operator-times": tables.operator_times,
    "identity-start": tables.identity_start,
    "checks": tables.checks,
    "int8": tables.int8,
    "kernels": tables.kernels,
    "gam-forms": tables.gam_forms,
    "gam-worth": tables.gam_worth,
    "slim": tables.slim,
    "releases": tables.releases,
    "theirs": tables.theirs,
    "modes": tables.modes,
    "formats": tables.formats,
    "fuzz": tables.fuzz,
    "live": tables.live,
    "live-start": tables.live_start,
    "live-ends": tables.live_ends,
    "coverage": tables.coverage,
    "ablate-speed": tables.ablate_speed,
    "smallest-difference": tables.smallest_difference,
    "place": tables.place,
}


def documents() -> list[Path]:
    """Returns the documents that may hold a rendered table."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def rendered(text: str) -> str:
    """Returns a document's text with each of its tables as it is today."""

    def table(mark: re.Match) -> str:
        return f"<!-- rendered: {mark[1]} -->\n\n{TABLES[mark[1]]()}\n\n<!-- /rendered -->"

    return MARKS.sub(table, text)


if __name__ == "__main__":
    for file in documents():
        file.write_text(rendered(file.read_text(encoding="utf-8")), encoding="utf-8")
        print(file)
    for file in models.write_all(ROOT / "models"):
        print(file)
