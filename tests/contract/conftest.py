"""What the tests of checks share: operators are registered for one test only."""

import os

import pytest

from yolo_attn.nn import own


@pytest.fixture(autouse=True)
def nothing_stays_registered():
    """What a test registers is neither in the process nor in its environment afterwards."""
    names, before = {info.name for info in own.infos()}, dict(os.environ)
    yield
    for info in own.infos():
        if info.name not in names:
            own.take_out(info)
    os.environ.clear()
    os.environ.update(before)
