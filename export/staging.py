"""A folder beside a file, in which its successor is made: an interruption leaves the earlier file alone."""

import contextlib
import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ultralytics.utils import LOGGER

from yolo_attn.errors import AttentionError


@contextlib.contextmanager
def beside(file: Path, exist_ok: bool = True) -> Iterator[Path]:
    """Makes a folder beside `file`, which is gone when the block is left.

    Ultralytics' lines that name something in the folder are left out: it will not be there.

    Args:
        file: The file that will be made in the folder and moved out.
        exist_ok: Whether it may take the place of one that is there.

    Raises:
        AttentionError: Nothing can be written there, or the file is there already.
    """
    if file.exists() and not exist_ok:
        raise AttentionError(f"'{file}' is there already: write exist_ok=True to replace it, or another name")
    try:
        folder = tempfile.TemporaryDirectory(prefix=f".{file.stem}-", dir=file.parent)
    except OSError as error:
        raise AttentionError(f"cannot write to {file.parent}: {error.strerror}; name another folder") from None

    def names_nothing_in_it(record: logging.LogRecord) -> bool:
        return folder.name not in record.getMessage()

    LOGGER.addFilter(names_nothing_in_it)
    try:
        with folder:
            yield Path(folder.name)
    finally:
        LOGGER.removeFilter(names_nothing_in_it)
