"""Networks and data sets that several tests of the evidence room look at."""

import pytest

from tests.support import self_labelled, task_sets


@pytest.fixture(scope="session")
def few_pictures(tmp_path_factory) -> str:
    """A detection set of four pictures for each part: its YAML."""
    return task_sets.data(tmp_path_factory.mktemp("few") / "few", "detect")


@pytest.fixture(scope="session")
def labelled(tmp_path_factory):
    """Returns the checkpoint and the data set of a task, made once."""
    made = {}

    def of(task: str):
        if task not in made:
            made[task] = self_labelled.make(task, tmp_path_factory.mktemp(task))
        return made[task]

    return of
