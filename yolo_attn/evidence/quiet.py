"""Ultralytics' log held back while something is made that nobody asked to read about."""

import contextlib
import logging
from collections.abc import Iterator

from ultralytics.utils import LOGGER


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Lets warnings and errors through alone."""
    before = LOGGER.level
    LOGGER.setLevel(logging.WARNING)
    try:
        yield
    finally:
        LOGGER.setLevel(before)
