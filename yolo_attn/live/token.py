"""The page's token: from the command line, from a file, or from the environment, which other users cannot list."""

import os
from pathlib import Path

from yolo_attn.errors import AttentionError

VARIABLE = "YOLO_ATTN_TOKEN"


def read(token: str, file: str) -> str:
    """Returns the token that `token=`, `token_file=` or the environment says, in this order; nothing where none does.

    Raises:
        AttentionError: Both keys are given, or the file cannot be read or is empty.
    """
    if token and file:
        raise AttentionError("token= and token_file= both give a token: write one")
    if not file:
        return token or os.environ.get(VARIABLE, "")
    try:
        said = Path(file).read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise AttentionError(f"token_file={file} cannot be read: {why}") from None
    if not said:
        raise AttentionError(f"token_file={file} is empty: write the token into it")
    return said
