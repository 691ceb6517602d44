"""The one exception a user can meet, and others in one line."""


class AttentionError(ValueError):
    """What is wrong, where, and the mend, in one line for the person who typed the command.

    The stock `yolo` command shows it as that line, without a traceback (`yolo_attn.upstream.messages`).
    """


def brief(error: BaseException) -> str:
    """Returns somebody else's error in one line: its class and the first line of what it says."""
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
