"""Single keys pressed in a terminal, without waiting for one."""

import select
import sys
from typing import Any


class Keys:
    """While entered, a terminal hands over keys at once; elsewhere `pressed` finds none.

    Ctrl-C still interrupts, and the terminal is as before afterwards.
    """

    def __init__(self):
        self._before: list[Any] | None = None

    def __enter__(self) -> "Keys":
        try:
            import termios
            import tty

            self._before = termios.tcgetattr(sys.stdin.fileno())
            tty.setcbreak(sys.stdin.fileno())
        except (ImportError, OSError, ValueError, termios.error):  # no terminal, or Windows
            self._before = None
        return self

    def __exit__(self, *raised) -> None:
        if self._before is not None:
            import termios

            termios.tcsetattr(sys.stdin.fileno(), termios.TCSADRAIN, self._before)

    def pressed(self) -> str:
        """Returns the key that was pressed, or nothing."""
        if self._before is None or not select.select([sys.stdin], [], [], 0)[0]:
            return ""
        return sys.stdin.read(1)
