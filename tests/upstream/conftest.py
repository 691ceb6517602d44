"""What the tests of this folder share."""

import pytest


@pytest.fixture
def quiet_folder(tmp_path, monkeypatch):
    """The folder that a test works in, in which nothing called `executed` may come to be."""
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    assert not (tmp_path / "executed").exists()
