"""What Ultralytics' logger said."""

import pytest
from ultralytics.utils import LOGGER


@pytest.fixture
def log(caplog):
    LOGGER.addHandler(caplog.handler)
    yield caplog
    LOGGER.removeHandler(caplog.handler)
