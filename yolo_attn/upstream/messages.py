"""Seam: the stock `yolo` command shows our errors as one line instead of a traceback."""

import sys
from pathlib import Path

from yolo_attn.errors import AttentionError

COMMANDS = {"yolo", "ultralytics"}
_previous = None


def install() -> None:
    """Shows an uncaught `AttentionError` as one line when the program is Ultralytics' own command."""
    global _previous
    if _previous is None and Path(sys.argv[0] if sys.argv else "").stem in COMMANDS:
        _previous, sys.excepthook = sys.excepthook, _one_line


def uninstall() -> None:
    """Puts the previous hook back."""
    global _previous
    if _previous is not None:
        sys.excepthook, _previous = _previous, None


def _one_line(kind, error, traceback) -> None:
    ours = find(error)
    if ours is None and _previous is not None:
        _previous(kind, error, traceback)
    else:
        print(f"ERROR ❌️ {ours}", file=sys.stderr)


def find(error: BaseException | None) -> AttentionError | None:
    """Returns our error in the chain of causes: Ultralytics wraps what goes wrong in a dataset, for instance."""
    while error is not None and not isinstance(error, AttentionError):
        error = error.__cause__ or error.__context__
    return error
