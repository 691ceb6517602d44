"""Networks and data sets that several tests look at."""

import pytest

from tests.support import self_labelled


@pytest.fixture(scope="session")
def labelled(tmp_path_factory):
    """Returns the checkpoint and the data set of a task, made once."""
    made = {}

    def of(task: str):
        if task not in made:
            made[task] = self_labelled.make(task, tmp_path_factory.mktemp(task))
        return made[task]

    return of
