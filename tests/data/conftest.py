"""What the tests of the built-in set share."""

from pathlib import Path

import pytest

from tests.support.small_sets import COUNTS
from yolo_attn.data import shapes


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """A few images are enough for everything but the statistics."""
    monkeypatch.setattr(shapes, "COUNTS", COUNTS)


@pytest.fixture
def detect(tmp_path) -> Path:
    return shapes.generate(tmp_path / "shapes")
