"""The `yolo-attn` command. It only reads what was typed, `yolo-attn COMMAND key=value …`; the work is done elsewhere.

A command is a function here: its name is the subcommand, its parameters are the keys, the first line of its docstring
is its help, and what it returns is the exit status.
"""

import difflib
import inspect
import sys
from collections.abc import Callable, Iterable

from yolo_attn.errors import AttentionError


def doctor() -> int:
    """Checks that the stock `yolo` command understands attention here; says what to do if not."""
    from yolo_attn import doctor

    return doctor.run()


def version() -> int:
    """Prints the version of yolo_attn."""
    from yolo_attn import __version__

    print(__version__)
    return 0


def usage() -> int:
    """Prints this help."""
    print("Attention for Ultralytics YOLO. Usage: yolo-attn COMMAND key=value ...\n")
    for name, command in COMMANDS.items():
        keys = "".join(f" {key}=..." for key in inspect.signature(command).parameters)
        print(f"  yolo-attn {name + keys:<12} {(command.__doc__ or '').splitlines()[0]}")
    print(
        "\nTraining, validation, prediction and export stay with the stock command: yolo train model=yolov5n-gam.yaml"
    )
    return 0


COMMANDS: dict[str, Callable[..., int]] = {"doctor": doctor, "version": version, "help": usage}


def main(arguments: list[str] | None = None) -> int:
    """Runs `yolo-attn`.

    Args:
        arguments: What was typed after the command's name; the running program's own without it.

    Returns:
        The exit status: 0, or 1 after an error.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a console that cannot show ✅ is no reason to stop
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        command, keys = read(arguments)
        return command(**keys)
    except AttentionError as error:
        print(f"ERROR ❌️ {error}", file=sys.stderr)
        return 1


def read(arguments: list[str]) -> tuple[Callable[..., int], dict[str, str]]:
    """Returns the command that `arguments` name, and its keys. Leading dashes do not matter, as with `yolo`.

    Raises:
        AttentionError: There is no such command or key; the message gives the nearest.
    """
    name, *pairs = [argument.lstrip("-") for argument in arguments] or ["help"]
    name = {"h": "help", "v": "version"}.get(name, name)
    if name not in COMMANDS:
        raise AttentionError(f"yolo-attn has no command '{name}'{_choices(name, COMMANDS)}")
    known, keys = inspect.signature(COMMANDS[name]).parameters, {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if key not in known:
            raise AttentionError(f"'yolo-attn {name}' has no key '{key}'{_choices(key, known)}")
        if not equals:
            raise AttentionError(f"'yolo-attn {name}' needs a value for '{key}': write {key}=...")
        keys[key] = value
    if missing := [key for key, p in known.items() if p.default is p.empty and key not in keys]:
        raise AttentionError(f"'yolo-attn {name}' also needs {', '.join(f'{key}=...' for key in missing)}")
    return COMMANDS[name], keys


def _choices(name: str, known: Iterable[str]) -> str:
    known = list(known)
    nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f", did you mean '{nearest[0]}'?" if nearest else ""
    return f"{hint}; it takes {', '.join(known)}" if known else f"{hint}; it takes none"


if __name__ == "__main__":
    sys.exit(main())
