"""What is generated is what stands in the documents."""

from pathlib import Path

import pytest

from benchmarks.learning import identity_start
from docs import render

README = Path(__file__).parent.parent / "README.md"


@pytest.mark.parametrize("file", render.documents(), ids=lambda file: file.name)
def test_rendered_tables_are_current(file):
    text = file.read_text(encoding="utf-8")
    assert render.rendered(text) == text, "write it again: python -m docs.render"


def test_readme_shows_the_committed_results():
    assert identity_start.markdown() in README.read_text(encoding="utf-8"), "copy it from there: the results are new"
