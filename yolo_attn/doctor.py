"""What `yolo-attn doctor` checks: one line per check, with what to do about it where something is off.

A check is a function that yields `Check`s. It asks the programs themselves, the stock `yolo` among them, instead of
reading what ought to be so. Packages are imported inside the checks: a missing one is a line and no traceback.
"""

import importlib
import json
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import warnings
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import yolo_attn
from yolo_attn import boot
from yolo_attn.errors import brief

OK, NOTE, OFF = "✅", "⚠️", "❌"
PACKAGES = {  # the module's name, and the name of its distribution without variants such as -gpu or -headless
    "torch": "torch",
    "ultralytics": "ultralytics",
    "cv2": "opencv-python",
    "onnx": "onnx",
    "onnxruntime": "onnxruntime",
    "onnxslim": "onnxslim",
}
# Run by the interpreter of a `yolo` command, in the folder that the command itself puts in front of sys.path.
PROBE = """
import json, sys
import ultralytics, ultralytics.nn.tasks, ultralytics.engine.exporter, ultralytics.engine.trainer
upstream = sys.modules.get("yolo_attn.upstream")
complete = bool(upstream and upstream.complete())
print(json.dumps({"prefix": sys.prefix, "ultralytics": ultralytics.__version__, "complete": complete}))
"""
PROBE_SECONDS = 180


class Check(NamedTuple):
    """One line: a mark, what was looked at, and what was seen. `OFF` makes the command fail, `NOTE` does not."""

    mark: str
    name: str
    text: str

    def __str__(self) -> str:
        return f"{self.name:<20}{self.mark} {self.text}"


def run() -> int:
    """Prints every check and returns the exit status: 1 if something that attention needs is off."""
    off = 0
    for check in checks():
        print(check, flush=True)
        off += check.mark == OFF
    if off:
        print(f"\n{off} of these {'is' if off == 1 else 'are'} off {OFF} Each line above says what to do.")
    else:
        print(f"\nAttention works here {OK} Try: yolo train model=yolov5n-gam.yaml data=shapes.yaml imgsz=160 epochs=3")
    return int(off > 0)


def checks() -> Iterator[Check]:
    """Yields every check. One that fails in a way nobody thought of is a line too."""
    for function in (_python, _packages, _switch, _hook, _patches, _command, _doubles, _providers, _devices):
        try:
            yield from function()
        except Exception as error:
            yield Check(OFF, function.__name__.strip("_"), f"this check failed with {brief(error)}")


def requirements() -> dict[str, Any]:
    """Returns what the installed yolo_attn requires in this environment, by distribution."""
    from packaging.requirements import Requirement

    found = [Requirement(line) for line in metadata.requires("yolo_attn") or []]
    return {r.name: r for r in found if r.marker is None or r.marker.evaluate({"extra": ""})}


def _python() -> Iterator[Check]:
    yield Check(OK, "yolo_attn", f"{yolo_attn.__version__} in {Path(yolo_attn.__file__).parent}")
    yield Check(OK, "python", f"{platform.python_version()} in {sys.prefix}")


def _packages() -> Iterator[Check]:
    try:
        needed = requirements()
    except ImportError as error:  # no metadata (a bare copy of the sources), or no `packaging` to read it with
        needed = {}
        yield Check(OFF, "requirements", f"unknown ({brief(error)}): pip install -U packaging, and install yolo_attn")
    for name, distribution in PACKAGES.items():
        variants = (r for n, r in needed.items() if n == distribution or n.startswith(f"{distribution}-"))
        yield _package(name, next(variants, None), distribution)


def _package(name: str, requirement: Any, distribution: str) -> Check:
    """Imports the package `name` and compares its version to what yolo_attn requires, if that is known."""
    label = "opencv" if name == "cv2" else name
    mend = (
        f"pip install -U {shlex.quote(f'{requirement.name}{requirement.specifier}') if requirement else distribution}"
    )
    module = _import(name)
    if isinstance(module, ModuleNotFoundError) and module.name == name:
        return Check(OFF, label, f"is not installed: {mend}")
    if isinstance(module, Exception):
        return Check(OFF, label, f"does not import ({brief(module)}): {mend}")
    version = getattr(module, "__version__", "?")  # the empty folder of a removed package imports, too
    if version == "?" or (requirement and not requirement.specifier.contains(version, prereleases=True)):
        return Check(OFF, label, f"{version} is not supported: {mend}")
    return Check(OK, label, f"{version} (supported: {requirement.specifier})" if requirement else version)


def _switch() -> Iterator[Check]:
    value = os.environ.get("YOLO_ATTN")
    if value == "0":
        yield Check(OFF, "YOLO_ATTN", "is 0, which switches everything off: unset YOLO_ATTN")
    elif value is not None:
        yield Check(OK, "YOLO_ATTN", f"is {value!r}; only 0 switches off")
    else:
        yield Check(OK, "YOLO_ATTN", "is not set; 0 would switch everything off")


def _hook() -> Iterator[Check]:
    if boot.armed():
        yield Check(OK, "start-up hook", "is armed in this Python")
    else:
        yield Check(OFF, "start-up hook", f"is not armed in this Python: {_mend_hook()}")


def _patches() -> Iterator[Check]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        failed = next((e for e in map(_import, boot.WATCHED) if isinstance(e, Exception)), None)
    upstream = sys.modules.get("yolo_attn.upstream")
    why = next((str(w.message) for w in caught if "yolo_attn" in str(w.message)), "")
    if upstream and upstream.complete():
        yield Check(OK, "patches", f"are installed in this Python: {', '.join(upstream.installed())}")
    elif why:
        yield Check(OFF, "patches", why)
    elif failed:
        yield Check(OFF, "patches", f"are not installed; ultralytics does not import ({brief(failed)}), see above")
    else:
        yield Check(OFF, "patches", f"are not installed in this Python: {_mend_hook()}")


def _command() -> Iterator[Check]:
    own = shutil.which("yolo", path=str(Path(sys.executable).parent))
    typed = shutil.which("yolo")
    if own:
        yield _ask(Path(own))
    if typed and not (own and Path(own).samefile(typed)):
        yield Check(NOTE, "PATH", f"leads to {typed}, which is not the yolo of {sys.prefix}")
        yield _ask(Path(typed))
    elif own and not typed:
        yield Check(NOTE, "PATH", f"does not lead to {own}: activate this environment or call it by this path")
    elif not own:
        yield Check(OFF, "yolo", "is not found: pip install -U --force-reinstall --no-deps ultralytics")


def _ask(command: Path) -> Check:
    """Runs the interpreter of a `yolo` command and tells whether attention is active there."""
    python = interpreter(command)
    if python is None:
        return Check(
            NOTE, "yolo", f"{command} does not say which Python runs it: type the path of another yolo instead"
        )
    done = subprocess.run(
        [*python, "-c", PROBE], cwd=command.parent, capture_output=True, text=True, timeout=PROBE_SECONDS
    )
    answers = [line for line in done.stdout.splitlines() if line.startswith('{"prefix"')]
    if not answers:
        error = (done.stderr.strip().splitlines() or ["no output"])[-1]
        return Check(OFF, "yolo", f"{command} fails ({error}): pip install -U ultralytics in its environment")
    seen = json.loads(answers[-1])
    if seen["complete"]:
        return Check(OK, "yolo", f"{command} (ultralytics {seen['ultralytics']}) understands attention")
    if Path(seen["prefix"]).resolve() == Path(sys.prefix).resolve():
        return Check(OFF, "yolo", f"{command} does not understand attention: {_mend_hook()}")
    where = f"{command} belongs to {seen['prefix']}, without attention"
    return Check(OFF, "yolo", f"{where}: activate {sys.prefix}, or install yolo_attn there")


def interpreter(command: Path) -> list[str] | None:
    """Returns the Python that a console script runs, as the start of a command line; None if it is no Python script."""
    with command.open("rb") as file:
        first, second = (file.readline(4096).decode(errors="replace").strip() for _ in range(2))
    if first.startswith("#!"):
        line = first[2:]
        if found := re.match(r"'''exec' (.+) \"\$0\"", second):  # how pip writes a path with spaces, or a long one
            line = found[1]
        words = shlex.split(line)
        return words if any("python" in Path(word).name for word in words) else None
    beside = [command.with_name("python.exe"), command.parent.parent / "python.exe"]  # Windows: a program, no script
    return next(([str(python)] for python in beside if python.is_file()), None)


def _doubles() -> Iterator[Check]:
    """Notes packages that two distributions bring, such as onnxruntime and onnxruntime-gpu: one hides the other."""
    owners = metadata.packages_distributions()
    for name in ("cv2", "onnxruntime"):
        if len(names := sorted(set(owners.get(name, ())))) > 1:
            yield Check(
                NOTE, name, f"is installed by {' and '.join(names)}: pip uninstall {' '.join(names)}; install one"
            )


def _providers() -> Iterator[Check]:
    runtime = _import("onnxruntime")
    if isinstance(runtime, Exception):
        return
    providers = runtime.get_available_providers()
    yield Check(OK, "onnxruntime with", ", ".join(providers))
    torch = _import("torch")
    if not isinstance(torch, Exception) and torch.cuda.is_available() and "CUDAExecutionProvider" not in providers:
        yield Check(
            NOTE, "onnxruntime", "cannot use the GPU: pip uninstall onnxruntime; pip install -U onnxruntime-gpu"
        )


def _devices() -> Iterator[Check]:
    torch = _import("torch")
    if isinstance(torch, Exception):
        return
    if torch.cuda.is_available():
        names = [f"cuda:{i} {torch.cuda.get_device_name(i)}" for i in range(torch.cuda.device_count())]
        yield Check(OK, "torch devices", ", ".join(names))
    elif torch.backends.mps.is_available():
        yield Check(OK, "torch devices", "mps")
    elif shutil.which("nvidia-smi"):
        yield Check(
            NOTE, "torch devices", f"CPU; torch {torch.__version__} sees no GPU: pip install a torch for your CUDA"
        )
    else:
        yield Check(OK, "torch devices", "CPU")


def _import(name: str) -> ModuleType | Exception:
    """Returns the module, or what its import raised: a missing system library raises ImportError or OSError."""
    try:
        return importlib.import_module(name)
    except Exception as error:
        return error


def _mend_hook() -> str:
    """Returns what to do where the hook is not armed."""
    if os.environ.get("YOLO_ATTN") == "0":
        return "unset YOLO_ATTN"
    try:
        files = metadata.files("yolo_attn") or []
    except metadata.PackageNotFoundError:
        return f"install yolo_attn into {sys.prefix}"
    present = any(file.name == "yolo_attn.pth" and Path(str(file.locate())).is_file() for file in files)
    return f"{'' if present else 'its start-up file yolo_attn.pth is missing; '}reinstall yolo_attn into {sys.prefix}"
