"""A folder beside a file, in which its successor is made: an interruption leaves the earlier file alone."""

import contextlib
import errno
import logging
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ultralytics.utils import LOGGER

from yolo_attn.errors import AttentionError

try:
    import fcntl
except ImportError:  # on Windows, where a killed process's folder stays
    fcntl = None  # type: ignore[assignment]

KIND = re.compile(r"\..+\.exporting-\w{8}")
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextlib.contextmanager
def beside(file: Path, exist_ok: bool = True) -> Iterator[Path]:
    """Makes a folder beside `file`, which is gone when the block is left. Those of killed processes go too.

    Of Ultralytics' lines, those on what was saved in the folder are left out, as it will not be there, and others name
    `file`'s folder in its place.

    Args:
        file: The file that will be made in the folder and moved out.
        exist_ok: Whether it may take the place of one that is there.

    Raises:
        AttentionError: Nothing can be written there, the disk is full, or the file is there already.
    """
    if file.exists() and not exist_ok:
        raise AttentionError(f"'{file}' is there already: write exist_ok=True to replace it, or another name")
    goal = file.parent
    remove_abandoned(goal)
    try:
        folder, lock = make(goal, f".{file.stem}.exporting-")
    except OSError as error:
        raise AttentionError(f"cannot write to {goal.resolve()}: {error.strerror}; name another folder") from None

    def without_folder(record: logging.LogRecord) -> bool:
        text = record.getMessage()
        if folder.name not in text:
            return True
        record.msg, record.args = re.sub(rf"(\./)?([^\s'\"]*/)?{re.escape(folder.name)}(?=/|\b)", str(goal), text), ()
        return record.levelno > logging.INFO

    LOGGER.addFilter(without_folder)
    try:
        yield folder
    except OSError as error:
        if error.errno in FULL or folder.name in str(error.filename):
            raise AttentionError(
                f"cannot write to {goal.resolve()}: {error.strerror}; make room, or name another folder"
            ) from error
        raise
    finally:
        LOGGER.removeFilter(without_folder)
        shutil.rmtree(folder, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def make(parent: Path, prefix: str) -> tuple[Path, int | None]:
    """Makes a folder that is locked until the process ends, and returns it with the lock.

    Raises:
        OSError: It cannot be made.
    """
    while True:
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
        if fcntl is None:
            return folder, None
        with contextlib.suppress(FileNotFoundError, BlockingIOError):  # another process took it for abandoned
            lock = locked(folder)
            if lock is None or os.path.samestat(os.fstat(lock), folder.stat()):
                return folder, lock
            os.close(lock)


def locked(folder: Path) -> int | None:
    """Locks a folder and returns the lock, or None on a disk without locks.

    Raises:
        BlockingIOError: Another process has it locked.
    """
    lock = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        if isinstance(error, BlockingIOError):
            raise
        return None
    return lock


def remove_abandoned(parent: Path) -> None:
    """Removes the folders that killed processes left in `parent`: those that no process has locked."""
    if fcntl is None or not parent.is_dir():
        return
    for folder in parent.iterdir():
        if KIND.fullmatch(folder.name) and folder.is_dir() and not folder.is_symlink():
            with contextlib.suppress(OSError):
                lock = locked(folder)
                if lock is not None:
                    shutil.rmtree(folder, ignore_errors=True)
                    os.close(lock)
