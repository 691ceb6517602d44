"""The one exception a user can meet, and what somebody else wrote in one line."""

import reprlib

_SHORT = reprlib.Repr()  # YAML's `&` and `*` write an endless list in a line
_SHORT.maxlevel, _SHORT.maxlist, _SHORT.maxdict, _SHORT.maxstring, _SHORT.maxother = 4, 8, 8, 80, 80


class AttentionError(ValueError):
    """What is wrong, where, and the mend, in one line for the person who typed the command.

    The stock `yolo` command shows it as that line, without a traceback (`yolo_attn.upstream.messages`). What it quotes
    of a file or a command may hold anything: characters that end a line or do not show are written as Python does.
    """

    def __init__(self, message: object):
        super().__init__("".join(c if c.isprintable() else ascii(c)[1:-1] for c in str(message)))


def brief(error: BaseException) -> str:
    """Returns somebody else's error in one line: its class and the first line of what it says."""
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"


def shown(value: object) -> str:
    """Returns a value from somebody's file in one short line, whatever it is."""
    return cut(_SHORT.repr(value), 120)


def cut(text: str, length: int) -> str:
    """Returns a text that is no longer than `length`."""
    return text if len(text) <= length else f"{text[: length - 1]}…"
