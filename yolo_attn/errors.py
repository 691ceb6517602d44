"""The one exception a user can meet."""


class AttentionError(ValueError):
    """What is wrong, where, and the mend, in one line for the person who typed the command.

    The stock `yolo` command shows it as that line, without a traceback (`yolo_attn.upstream.messages`).
    """
