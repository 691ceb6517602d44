"""The only door to Ultralytics' internals: one file per seam, each with install(), uninstall() and canary().

A canary runs the patched code and compares values, so that a release of Ultralytics in which a seam no longer holds
is refused with its version, instead of building something else in silence.
"""

import importlib
import sys

import torch

from yolo_attn.errors import AttentionError
from yolo_attn.upstream import messages, refuse, version

SEAMS = {  # each by the module of Ultralytics that it hangs on, which `yolo_attn.boot` watches
    "parse": "ultralytics.nn.tasks",
    "first_pass": "ultralytics.nn.tasks",
    "lookup": "ultralytics.nn.tasks",
    "compose": "ultralytics.nn.tasks",
    "fuse": "ultralytics.nn.tasks",
    "checkpoints": "ultralytics.nn.tasks",
    "weights": "ultralytics.nn.tasks",
    "datasets": "ultralytics.data.utils",
    "exporter": "ultralytics.engine.exporter",
    "presence": "ultralytics.engine.trainer",
    "training": "ultralytics.engine.trainer",
}
_installed: list = []
_imported: set[str] = set()


def on_import(module: str, executed: bool = False) -> None:
    """Installs the seams that hang on `module`, which Ultralytics has just imported.

    Args:
        module: Its name.
        executed: Its code has just run. Where it had run before, `importlib.reload` made its functions and classes
            anew: they get seams of their own, and the old ones, which other modules still hold, keep theirs.

    Ultralytics' modules import one another in circles and finish in any order: the model parser's seams come first, and
    the others wait for it. Where one cannot be installed, Ultralytics is left as it was, except that a model with
    attention is refused, whatever is imported later.

    Raises:
        AttentionError: The installed Ultralytics is outside the supported range, or a canary failed.
    """
    if executed and module in _imported:
        for name in [name for name, needed in SEAMS.items() if needed == module] + ["building"]:
            sys.modules.pop(f"{__name__}.{name}", None)
    _imported.add(module)
    if "ultralytics.nn.tasks" not in _imported or refuse.installed():
        return
    messages.install()
    try:
        version.check()
        for name, needed in SEAMS.items():
            if needed in _imported:
                _install(name)
    except AttentionError as error:
        uninstall()
        messages.install()
        refuse.install(error)
        raise


def install() -> None:
    """Installs every seam whose module is loaded."""
    for module in dict.fromkeys(SEAMS.values()):
        if module in sys.modules:
            on_import(module)


def uninstall() -> None:
    """Puts back exactly what was there before `install()`."""
    while _installed:
        _installed.pop().uninstall()
    refuse.uninstall()
    messages.uninstall()


def installed() -> list[str]:
    """Returns the names of the seams that are installed."""
    return [seam.__name__.rpartition(".")[2] for seam in _installed]


def complete() -> bool:
    """Tells whether every seam is installed."""
    return set(installed()) >= set(SEAMS)


def _install(name: str) -> None:
    try:
        seam = importlib.import_module(f"{__name__}.{name}")
        if seam in _installed or not hasattr(seam, "canary"):
            return  # without it, somebody is just importing the seam itself: the next call finds it whole
        _installed.append(seam)  # before it works: what is half installed is taken back, too
        seam.install()
        # A canary builds small modules; nobody's random numbers may change because we are installed. The import that
        # brought us here may stand where no data is wanted, in `with torch.device("meta")`.
        with torch.random.fork_rng(devices=[]), torch.device("cpu"):
            seam.canary()
    except Exception as error:
        raise version.refusal(f"does not fit ({type(error).__name__}: {error})") from error


if "ultralytics.nn.tasks" not in sys.modules:
    # One of this folder is somebody's first import, as of a pickle that names a class here. Its own imports would meet
    # it half made: so Ultralytics comes first, and with it, by the hook, every seam.
    for _module in dict.fromkeys(SEAMS.values()):
        importlib.import_module(_module)
