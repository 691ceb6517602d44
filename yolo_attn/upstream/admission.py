"""Other people's operators in Ultralytics: a name that is free, a place among the modules, checkpoints that load."""

import torch
from ultralytics.nn import tasks
from ultralytics.utils import LOGGER

from yolo_attn.errors import AttentionError
from yolo_attn.nn import AttentionInfo, own
from yolo_attn.surgery.places import PLACES
from yolo_attn.upstream.ownership import PREFIX, theirs


def install() -> None:
    """Admits what is registered, and what will be; says what the environment names and cannot be used."""
    own.veto(admit)
    for error in own.FAILED.values():
        LOGGER.warning(f"yolo_attn: {error}")


def uninstall() -> None:
    """Admits nothing any more."""
    own.take_back(admit)


def admit(info: AttentionInfo) -> None:
    """Lets rows and checkpoints have an operator.

    Raises:
        AttentionError: Its name is a module of Ultralytics', or a word that stands for a place.
    """
    if theirs(info.name) is not None:
        raise AttentionError(f"the name {info.name} is that of a module of Ultralytics'; call yours otherwise")
    if info.name.lower() in map(str.lower, PLACES):
        raise AttentionError(f"the name {info.name} is that of a place; call yours otherwise")
    setattr(tasks, PREFIX + info.name, info.cls)
    trust(own.classes_of(info))


def trust(classes: list[type]) -> None:
    """Admits classes to torch's loading of weights only, in place of others of their paths, as in a notebook."""
    paths = {(cls.__module__, cls.__qualname__) for cls in classes}
    others = [
        entry
        for entry in torch.serialization.get_safe_globals()
        if (getattr(entry, "__module__", ""), getattr(entry, "__qualname__", "")) not in paths
    ]
    torch.serialization.clear_safe_globals()
    torch.serialization.add_safe_globals([*others, *classes])
