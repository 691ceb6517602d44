"""Whether a checkpoint is as it was written: a zip archive with a checksum for each record, which torch passes over.

Without it a number that changed on the way is another network, or memory for a tensor of any size.
"""

import zipfile
from pathlib import Path

from yolo_attn.errors import AttentionError, brief


def check_whole(file: str | Path) -> None:
    """Raises AttentionError where a record of a checkpoint is damaged; files of torch before 1.6 have no checksums."""
    if not zipfile.is_zipfile(file):
        return
    try:
        with zipfile.ZipFile(file) as archive:
            damaged = archive.testzip()
    except Exception as error:  # another for each way in which an archive is broken
        raise AttentionError(f"'{file}' is damaged ({brief(error)}): take another copy of it") from None
    if damaged:
        raise AttentionError(f"'{file}' is damaged: {damaged} is not as it was written; take another copy of it")


def is_whole(file: str | Path) -> bool:
    """Tells whether a file is a checkpoint of today's kind, from its first byte to its last."""
    try:
        check_whole(file)
    except AttentionError:
        return False
    return zipfile.is_zipfile(file)
