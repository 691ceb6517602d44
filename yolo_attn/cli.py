"""The `yolo-attn` command. It only reads what was typed, `yolo-attn COMMAND key=value …`; the work is done elsewhere.

A command is a function here: its name is the subcommand, its parameters are the keys, the first line of its docstring
is its help, and what it returns is the exit status. Words without `=` are the parameters in their order; `-o FILE` is
`o=FILE`; a command with `**options` takes any key.
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


def add(model: str, attention: str, at: str = "backbone", o: str = "", **options: str) -> int:
    """Puts attention into a model YAML: yolo-attn add yolo26n.yaml cbam at=P5 reduction=8 -o my.yaml"""
    from yolo_attn import insertion

    values = {name: _value(text) for name, text in options.items()}
    with_attention = insertion.insert(model, attention, at, **values)
    said = " ".join([f"at={at}", *(f"{name}={text}" for name, text in options.items())])
    return _write(with_attention, o, f"{model} with {attention} {said}")


def remove(model: str, o: str = "") -> int:
    """Takes all attention out of a model YAML: yolo-attn remove my.yaml -o base.yaml"""
    from yolo_attn import insertion

    return _write(insertion.remove(model), o, f"{model} without attention")


def show(model: str, o: str = "", imgsz: str = "640") -> int:
    """Prints a model's rows with their cost, and what attention adds; -o my.svg or my.png draws it."""
    from yolo_attn import show

    if not imgsz.isdecimal() or int(imgsz) < 32:
        raise AttentionError(f"imgsz must be a number of pixels from 32 on, got '{imgsz}'")
    print(show.text(model, int(imgsz)))
    if o:
        from yolo_attn import draw

        draw.write(model, o)
        print(f"\ndrawn: {o}")
    return 0


def export(model: str, format: str = "onnx", **options: str) -> int:
    """Exports a checkpoint: yolo-attn export model=best.pt format=rtx targets=sm86,sm89,sm120 quantize=16"""
    from ultralytics.cfg import smart_value

    from yolo_attn.export import run

    run(model, format, **{name: text if name == "targets" else smart_value(text) for name, text in options.items()})
    return 0


def live(
    model: str,
    source: str = "0",
    imgsz: str = "",
    conf: str = "0.25",
    iou: str = "0.7",
    max_det: str = "300",
    classes: str = "",
    device: str = "",
    vid_stride: str = "1",
    stream_buffer: str = "",
    threads: str = "0",
    show: str = "",
    save: str = "False",
    save_json: str = "False",
    project: str = "runs/live",
    name: str = "exp",
    serve: str = "",
    token: str = "",
) -> int:
    """Runs a model on cameras, streams or files: yolo-attn live model=best.onnx source=0 serve=8000"""
    from yolo_attn import live

    return live.command(
        model=model,
        source=source,
        imgsz=_number("imgsz", imgsz, 32, 8192) if imgsz else None,
        conf=float(_number("conf", conf, 0, 1, float)),
        iou=float(_number("iou", iou, 0, 1, float)),
        max_det=_number("max_det", max_det, 1, 30000),
        classes=[_number("classes", one, 0, 99999) for one in classes.strip("[]").split(",")] if classes else None,
        device=device,
        vid_stride=_number("vid_stride", vid_stride, 1, 10000),
        stream_buffer=_flag("stream_buffer", stream_buffer),
        threads=_number("threads", threads, 0, 1024),
        show=_flag("show", show),
        save=bool(_flag("save", save)),
        save_json=bool(_flag("save_json", save_json)),
        project=project,
        name=name,
        serve=serve,
        token=token,
    )


def version() -> int:
    """Prints the version of yolo_attn."""
    from yolo_attn import __version__

    print(__version__)
    return 0


def usage() -> int:
    """Prints this help."""
    print("Attention for Ultralytics YOLO. Usage: yolo-attn COMMAND key=value ...\n")
    for name, command in COMMANDS.items():
        print(f"  yolo-attn {name:<8} {(command.__doc__ or '').splitlines()[0]}")
    print(
        "\nTraining, validation, prediction and export stay with the stock command: yolo train model=yolov5n-gam.yaml"
    )
    return 0


COMMANDS: dict[str, Callable[..., int]] = {
    "add": add,
    "remove": remove,
    "show": show,
    "export": export,
    "live": live,
    "doctor": doctor,
    "version": version,
    "help": usage,
}


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
    name, *words = _joined(arguments) or ["help"]
    name = {"h": "help", "v": "version"}.get(name, name)
    if name not in COMMANDS:
        raise AttentionError(f"yolo-attn has no command '{name}'{_choices(name, COMMANDS)}")
    parameters = inspect.signature(COMMANDS[name]).parameters
    known = {key: p for key, p in parameters.items() if p.kind is not p.VAR_KEYWORD}
    required = [key for key, p in known.items() if p.default is p.empty]
    keys: dict[str, str] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals and key not in known and len(required) > len(keys):
            key, equals, value = next(one for one in required if one not in keys), "=", word
        if key not in known and len(known) == len(parameters):
            raise AttentionError(f"'yolo-attn {name}' has no key '{key}'{_choices(key, known)}")
        if not equals or not value:
            raise AttentionError(f"'yolo-attn {name}' needs a value for '{key}': write {key}=...")
        keys[key] = value
    if missing := [key for key in required if key not in keys]:
        raise AttentionError(f"'yolo-attn {name}' also needs {', '.join(f'{key}=...' for key in missing)}")
    return COMMANDS[name], keys


def _joined(arguments: list[str]) -> list[str]:
    """Returns the words without leading dashes, `-o my.yaml` as the one word `o=my.yaml`."""
    words: list[str] = []
    for argument, before in zip(arguments, ["", *arguments], strict=False):
        if words and before.startswith("-") and "=" not in before and len(words) > 1:
            words[-1] += f"={argument}"
        else:
            words.append(argument.lstrip("-"))
    return words


def _number(key: str, text: str, least: float, most: float, kind: type = int):
    """Returns the number that `text` says."""
    try:
        number = kind(text)
    except ValueError:
        number = least - 1
    if not least <= number <= most:
        what = "whole number" if kind is int else "number"
        raise AttentionError(f"{key} must be a {what} from {least} to {most}, got '{text}'")
    return number


def _flag(key: str, text: str) -> bool | None:
    """Returns what True, False, or nothing says."""
    flags = {"": None, "true": True, "false": False}
    if text.lower() not in flags:
        raise AttentionError(f"{key} must be True or False, got '{text}'")
    return flags[text.lower()]


def _value(text: str) -> object:
    import yaml

    return yaml.safe_load(text)


def _write(model: dict, file: str, source: str) -> int:
    """Prints a model dict as YAML, or writes it to `file` and says how to go on."""
    from pathlib import Path

    from yolo_attn import insertion

    path = Path(file or "my.yaml")
    if path.suffix not in (".yaml", ".yml"):
        raise AttentionError(f"'{file}' is no name for a model: write -o {path.stem or 'my'}.yaml")
    text = insertion.text(model, path.stem, source)
    if not file:
        print(text, end="")
        return 0
    path.write_text(text, encoding="utf-8")
    print(f"{path} is {source}. Look at it: yolo-attn show {path}   Train it: yolo train model={path} data=...")
    return 0


def _choices(name: str, known: Iterable[str]) -> str:
    known = list(known)
    nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f", did you mean '{nearest[0]}'?" if nearest else ""
    return f"{hint}; it takes {', '.join(known)}" if known else f"{hint}; it takes none"


if __name__ == "__main__":
    sys.exit(main())
