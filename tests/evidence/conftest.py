"""What the tests of the evidence room share."""

import pytest

from tests.support import task_sets


@pytest.fixture(scope="session")
def few_pictures(tmp_path_factory) -> str:
    """A detection set of four pictures for each part: its YAML."""
    return task_sets.data(tmp_path_factory.mktemp("few") / "few", "detect")
