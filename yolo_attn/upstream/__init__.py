"""The only door to Ultralytics' internals: one file per seam, each with install(), uninstall() and canary().

A canary runs the patched code and compares values, so that a release of Ultralytics in which a seam no longer holds
is refused with its version, instead of building something else in silence.
"""

import sys

import torch

from yolo_attn.errors import AttentionError
from yolo_attn.upstream import messages, refuse, version

_installed: list = []


def on_import(module: str) -> None:
    """Installs the seams that hang on `module`, which Ultralytics has just imported.

    Where they cannot be installed, Ultralytics is left as it was, except that a model with attention is refused.

    Raises:
        AttentionError: The installed Ultralytics is outside the supported range, or a canary failed.
    """
    messages.install()
    try:
        version.check()
        for seam in _seams(module):
            _install(seam)
    except Exception as error:
        uninstall()
        if not isinstance(error, AttentionError):
            error = AttentionError(f"{type(error).__name__}: {error}; {version.mend()}")
        refuse.install(error)
        raise error from None


def install() -> None:
    """Installs every seam whose module is loaded."""
    for module in ("ultralytics.nn.tasks", "ultralytics.engine.exporter"):
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


def _seams(module: str) -> list:
    if module == "ultralytics.engine.exporter":
        from yolo_attn.upstream import exporter

        return [exporter]
    from yolo_attn.upstream import checkpoints, datasets, fuse, lookup, parse

    return [parse, lookup, datasets, fuse, checkpoints]


def _install(seam) -> None:
    if seam in _installed:
        return
    seam.install()
    _installed.append(seam)
    # A canary builds small modules; nobody's random numbers may change because we are installed.
    with torch.random.fork_rng(devices=[]):
        seam.canary()
