"""Somebody's own module as attention: any `nn.Module` that is built from channels and keeps the shape of its map."""

import inspect
from typing import Any, ClassVar

import torch
from torch import nn

from yolo_attn.errors import AttentionError
from yolo_attn.nn.base import Transform, operators


class Plain(Transform):
    """A module that knows nothing of this package: x ← f(x), after an identity start x + a · (f(x) − x).

    Its options are those arguments behind the channels whose defaults are numbers or booleans; the others keep theirs.
    Its deploy form is what its own `deploy()` returns, or else itself, with attention of this package in it deployed.

    Shapes: `(N, C, H, W)` → `(N, C, H, W)`.
    """

    original: ClassVar[type[nn.Module]]

    def __init__(self, channels: int, *values: object, **options: object):
        super().__init__(channels)
        options = dict(zip(self.options(), values, strict=False)) | options
        for name, value in (self.options() | options).items():
            setattr(self, name, value)
        self.module = self.original(channels, **options)

    def transform(self, x: torch.Tensor) -> torch.Tensor:
        return self.module(x)

    def deploy_transform(self) -> nn.Module:
        module: Any = self.module
        if callable(getattr(module, "deploy", None)):
            return module.deploy()
        for name, operator in operators(module).items():
            module.set_submodule(name, operator.deploy())  # type: ignore[operator]
        return module

    @classmethod
    def options(cls) -> dict[str, object]:
        behind = list(inspect.signature(cls.original).parameters.values())[1:]
        return {one.name: one.default for one in behind if isinstance(one.default, bool | int | float)}


def wrapped(cls: type[nn.Module], name: str) -> type[Plain]:
    """Returns the operator class for a plain module class.

    Raises:
        AttentionError: One of its arguments has the name of something that every operator has.
    """
    said = {"original": cls, "__doc__": cls.__doc__, "__module__": cls.__module__}
    # A path of its own: torch's restricted loading knows classes by their paths.
    made: Any = type(name, (Plain,), said | {"__qualname__": f"{cls.__qualname__}.operator"})
    if taken := [option for option in made.options() if hasattr(Plain, option)]:
        raise AttentionError(f"argument '{taken[0]}' of {name} has a name that every operator has; call it otherwise")
    return made
