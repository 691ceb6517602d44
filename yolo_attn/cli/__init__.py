"""The `yolo-attn` command. It only reads what was typed, `yolo-attn COMMAND key=value …`; the work is done elsewhere.

A command is a function here: its name is the subcommand, the first line of its docstring is its help, and what it
returns is the exit status. Its one parameter is a dataclass of typed keys (`yolo_attn.cli.keys`).
"""

import inspect
import logging
import os
import sys
from collections.abc import Callable

from yolo_attn.cli.config import read_live
from yolo_attn.cli.keys import choices, keys_of, read_options
from yolo_attn.contract.options import CheckOptions
from yolo_attn.device.options import LatencyOptions
from yolo_attn.errors import AttentionError
from yolo_attn.evidence.options import AblateOptions, CompareOptions, MapsOptions, SlimOptions
from yolo_attn.export.options import ExportOptions
from yolo_attn.live.options import LiveOptions
from yolo_attn.placement.options import PlaceOptions
from yolo_attn.surgery.options import AddOptions, RewriteOptions
from yolo_attn.view.options import ListOptions, ShowOptions

BROKEN_PIPE, INTERRUPTED = 141, 130  # what a shell reports of a program that the signal ends


def add(options: AddOptions) -> int:
    """Puts attention into a model YAML: yolo-attn add yolo26n.yaml cbam at=P5 reduction=8 -o my.yaml"""
    from yolo_attn import insertion

    values = _yaml_values(options.options)
    model = insertion.insert(options.model, options.attention, options.at, **values)
    said = " ".join([f"at={options.at}", *(f"{name}={text}" for name, text in options.options.items())])
    source = f"{options.model} with {options.attention} {said}"
    print(insertion.save(model, options.o, source, options.exist_ok), end="")
    return 0


def remove(options: RewriteOptions) -> int:
    """Takes all attention out of a model YAML: yolo-attn remove my.yaml -o base.yaml"""
    from yolo_attn import insertion

    model, lost = insertion.without_attention(options.model)
    print("".join(f"WARNING ⚠️ {line}\n" for line in lost), file=sys.stderr, end="")
    print(insertion.save(model, options.o, f"{options.model} without attention", options.exist_ok), end="")
    return 0


def fix(options: RewriteOptions) -> int:
    """Wires a model YAML as was probably meant: yolo-attn fix my.yaml -o mended.yaml"""
    from yolo_attn import insertion

    model, said = insertion.fix(options.model)
    print("\n".join(said or ["nothing is wired in a way that is probably not meant"]), file=sys.stderr)
    print(insertion.save(model, options.o, f"{options.model} mended", options.exist_ok), end="")
    return 0


def show(options: ShowOptions) -> int:
    """Prints a model's rows with their cost, and what attention adds; -o my.svg or my.png draws it."""
    from yolo_attn.view import table

    print(table.text(options.model, options.imgsz))
    if options.o:
        from yolo_attn.view import drawing

        drawing.write(options.model, options.o, options.exist_ok)
        print(f"\ndrawn: {options.o}")
    return 0


def list_(options: ListOptions) -> int:
    """Prints the operators that there are: yolo-attn list kind=channel"""
    from yolo_attn.view import operators

    print(operators.text(options.kind))
    return 0


def check(options: CheckOptions) -> int:
    """Checks an operator, one line a check: yolo-attn check my_attention.py channels=64 reduction=8"""
    from yolo_attn.contract import subject, suite

    broken = 0
    for case in subject.cases(options.attention, options.channels, _yaml_values(options.options)):
        broken += suite.tell(case)
    return int(broken > 0)


def compare(options: CompareOptions) -> int:
    """Says which attention is better, over seeds: yolo-attn compare base=yolo11n.yaml attention=cbam,eca data=…"""
    from yolo_attn.evidence import compare

    return compare.command(options)


def ablate(options: AblateOptions) -> int:
    """Says what each attention layer is worth, without training: yolo-attn ablate best.pt data=my.yaml"""
    from yolo_attn.evidence import ablate

    return ablate.command(options)


def slim(options: SlimOptions) -> int:
    """Makes a trained GAM's 7×7 convolutions separable: yolo-attn slim best.pt budget=5% data=my.yaml -o slim.pt"""
    from yolo_attn.evidence import slim

    return slim.command(options)


def place(options: PlaceOptions) -> int:
    """Says where to put which attention within a budget: yolo-attn place base=best.pt data=… operators=cbam,eca"""
    from yolo_attn.placement import place

    return place.command(options)


def maps(options: MapsOptions) -> int:
    """Draws what each attention layer looks at: yolo-attn maps model=best.pt source=picture.jpg"""
    from yolo_attn.evidence import maps

    return maps.command(options)


def export(options: ExportOptions) -> int:
    """Exports a checkpoint: yolo-attn export model=best.pt format=rtx targets=sm86,sm89,sm120 quantize=16"""
    from ultralytics.cfg import smart_value

    from yolo_attn.export import run

    arguments = {name: smart_value(text) for name, text in options.arguments.items()}
    ours = {"targets": options.targets, "report": options.report, "gates": options.gates}
    run(options.model, options.format, **ours, **arguments)
    return 0


def live(options: LiveOptions) -> int:
    """Runs a model on cameras, streams or files: yolo-attn live model=best.onnx source=0 serve=8000"""
    from yolo_attn import live

    return live.command(options)


def latency(options: LatencyOptions) -> int:
    """Says what each attention layer takes on this device: yolo-attn latency model=a.onnx,b.onnx -o my-device.csv"""
    from yolo_attn.device import latency

    return latency.command(options)


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
        print(f"  yolo-attn {name:<8} {(command.__doc__ or '').splitlines()[0]}")
    print(
        "\nIts keys: yolo-attn COMMAND --help. Training, validation, prediction and export stay with the stock command:"
        " yolo train model=yolov5n-gam.yaml"
    )
    return 0


COMMANDS: dict[str, Callable[..., int]] = {
    "add": add,
    "remove": remove,
    "fix": fix,
    "show": show,
    "list": list_,
    "check": check,
    "compare": compare,
    "ablate": ablate,
    "slim": slim,
    "place": place,
    "maps": maps,
    "export": export,
    "live": live,
    "latency": latency,
    "doctor": doctor,
    "version": version,
    "help": usage,
}


def main(arguments: list[str] | None = None) -> int:
    """Runs `yolo-attn`. Every kind of error that a user can cause ends here, as one line.

    Args:
        arguments: What was typed after the command's name; the running program's own without it.

    Returns:
        The exit status: 0, or 1 after an error.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a console that cannot show ✅ is no reason to stop
    logging.raiseExceptions = False  # nor is a log line that nobody reads any more, behind `| head`
    try:
        command, *options = read(sys.argv[1:] if arguments is None else arguments)
        status = command(*options)
        sys.stdout.flush()
        return status
    except AttentionError as error:
        said = str(error)
    except BrokenPipeError:  # `yolo-attn show … | head` has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except OSError as error:
        said = f"{error.filename or 'a file'}: {error.strerror or error}"
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("yolo_attn"):
            raise
        name = (arguments or sys.argv[1:] or ["help"])[0].lstrip("-")
        said = f"'yolo-attn {name}' needs {error.name}, which is not installed: pip install yolo_attn"
    except KeyboardInterrupt:
        return INTERRUPTED
    print(f"ERROR ❌️ {said}", file=sys.stderr)
    return 1


def read(arguments: list[str]) -> tuple:
    """Returns the command that `arguments` name and, where it has keys, its options.

    Raises:
        AttentionError: There is no such command or key, or a value does not fit; the message gives the mend.
    """
    name, *words = _joined(arguments) or ["help"]
    name = {"h": "help", "v": "version"}.get(name, name)
    if name not in COMMANDS:
        raise AttentionError(f"yolo-attn has no command '{name}'{choices(name, COMMANDS)}")
    command = COMMANDS[name]
    if {"-h", "--help"} & set(arguments[1:]) or words == ["help"]:
        return (lambda: explain(name),)
    parameter = next(iter(inspect.signature(command).parameters.values()), None)
    if parameter is None:
        if words:
            raise AttentionError(f"'yolo-attn {name}' has no key '{words[0].partition('=')[0]}'; it takes none")
        return (command,)
    if parameter.annotation is LiveOptions:
        return command, read_live(words)
    return command, read_options(name, parameter.annotation, words)


def explain(name: str) -> int:
    """Prints a command's keys with their types and defaults."""
    command = COMMANDS[name]
    print(f"{(command.__doc__ or '').splitlines()[0]}\n")
    for parameter in inspect.signature(command).parameters.values():
        for key in keys_of(parameter.annotation):
            default = "required" if key.required else "" if key.default in (None, "") else str(key.default)
            label = "…" if key.takes_the_rest else key.name
            print(f"  {label:<14}{key.kind:<34}{'' if key.takes_the_rest else default:<18}{key.help}")
    return 0


def _joined(arguments: list[str]) -> list[str]:
    """Returns the words without leading dashes, `-o my.yaml` as the one word `o=my.yaml`."""
    words: list[str] = []
    for argument, before in zip(arguments, ["", *arguments], strict=False):
        if words and before.startswith("-") and "=" not in before and len(words) > 1:
            words[-1] += f"={argument}"
        else:
            words.append(argument.lstrip("-"))
    return words


def _yaml_values(options: dict[str, str]) -> dict[str, object]:
    """Returns an operator's options as a model YAML would have them."""
    import yaml

    values = {}
    for name, text in options.items():
        try:
            values[name] = yaml.safe_load(text)
        except yaml.YAMLError:
            raise AttentionError(f"'{name}={text}' is no value: write {name}=8 or {name}=true") from None
    return values
