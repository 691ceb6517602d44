"""What the tests of checks share: operators are registered for one test only."""

import os

import pytest

from yolo_attn.nn import own


@pytest.fixture(autouse=True)
def nothing_stays_registered(monkeypatch):
    """What a test registers is neither in the process nor in its environment afterwards."""
    monkeypatch.setattr(own, "_infos", dict(own._infos))
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)
