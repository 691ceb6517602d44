"""Single keys pressed in a terminal, without waiting for one."""

import os
import select
import sys
from typing import Any

try:
    import termios
    import tty
except ImportError:  # Windows
    termios = None  # type: ignore[assignment]


class Keys:
    """While entered, a terminal hands over keys at once; elsewhere `pressed` finds none.

    Ctrl-C still interrupts, and the terminal is as before afterwards. A program in the background leaves it alone.
    """

    def __init__(self):
        self._before: list[Any] | None = None
        self._input = -1

    def __enter__(self) -> "Keys":
        if termios is None or sys.stdin is None:
            return self
        try:
            self._input = sys.stdin.fileno()
            before = termios.tcgetattr(self._input)
            if not self._in_background():
                tty.setcbreak(self._input)
                self._before = before
        except (OSError, ValueError, termios.error):  # no terminal
            pass
        return self

    def __exit__(self, *raised) -> None:
        if self._before is not None:
            termios.tcsetattr(self._input, termios.TCSADRAIN, self._before)

    def _in_background(self) -> bool:
        try:
            return os.tcgetpgrp(self._input) != os.getpgrp()
        except OSError:  # a terminal that is not this session's
            return False

    def pressed(self) -> str:
        """Returns the key that was pressed, or nothing."""
        if self._before is None or not select.select([self._input], [], [], 0)[0]:
            return ""
        return os.read(self._input, 1).decode(errors="ignore")
