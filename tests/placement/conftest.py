"""What several tests of the placement room look at."""

import pytest

from tests.support import planted_place


@pytest.fixture(scope="session")
def made(tmp_path_factory) -> planted_place.Planted:
    """A small base, attention everywhere in it with one place that counts, and a data set; nothing is trained."""
    return planted_place.make(tmp_path_factory.mktemp("planted"), seed=1)
