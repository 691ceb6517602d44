"""Operators of other people: registered by a caller, or named by the environment or an installed package.

A checkpoint calls such an operator by its name, not by its class's path: so nothing is imported for it, and where it is
not registered the error says what to do, in place of a search for a package of the file's name.
"""

import sys
import traceback
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from yolo_attn import nn as ours
from yolo_attn.errors import AttentionError, brief
from yolo_attn.nn import sources
from yolo_attn.nn.base import Attention, DeployedTransform, Transform
from yolo_attn.nn.info import AttentionInfo, key
from yolo_attn.nn.plain import wrapped

KIND = "own"
FAILED: dict[str, AttentionError] = {}  # what the environment names and cannot be used, by its source
_infos: dict[str, AttentionInfo] = {}
_checks: list[Callable[[AttentionInfo], None]] = []
_loaded = False


def built_in() -> tuple[AttentionInfo, ...]:
    """Returns this package's own operators, in the order of `yolo_attn/nn/__init__.py`."""
    classes = [cls for cls in vars(ours).values() if isinstance(cls, type) and issubclass(cls, Attention)]
    return tuple(sys.modules[cls.__module__].INFO for cls in classes if cls not in (Attention, Transform))


def register(cls: type[nn.Module], name: str = "") -> AttentionInfo:
    """Makes a module class an operator, called `name` or as its class; it then has all that the others have.

    Args:
        cls: A subclass of `Attention`, or any module whose constructor takes the channels, and the rest by default, and
            whose forward takes one map `(N, C, H, W)` and keeps its shape.
        name: The row's name.

    Raises:
        AttentionError: The class is none that can be an operator, or the name is taken.
    """
    info = _register(cls, name)
    if alone := sources.announce(cls):
        warnings.warn(f"yolo_attn: {alone}", stacklevel=3)
    return info


def take_out(info: AttentionInfo) -> None:
    """Makes an operator that was registered none again."""
    del _infos[info.name]


def infos() -> list[AttentionInfo]:
    """Returns what is registered, with what the environment and the installed packages name, read once."""
    global _loaded
    if not _loaded:
        _loaded = True  # before: a file that registers its operator itself asks what there is
        for source, classes in sources.announced():
            try:
                if isinstance(classes, AttentionError):
                    raise classes
                for cls in classes:
                    _register(cls)
            except AttentionError as error:
                FAILED[source] = error
    return list(_infos.values())


def failure() -> str:
    """Returns `; my_attention.py, line 3: …`, what cannot be used of what the environment names, to end a message."""
    infos()
    return "".join(f"; {error}" for error in FAILED.values())


def veto(check: Callable[[AttentionInfo], None]) -> None:
    """Lets `check` refuse operators by raising AttentionError, those of the environment too."""
    _checks.append(check)
    for name, info in [(info.name, info) for info in infos()]:
        try:
            check(info)
        except AttentionError as error:
            FAILED[name] = error
            del _infos[name]


def take_back(check: Callable[[AttentionInfo], None]) -> None:
    """Asks `check` no more."""
    _checks.remove(check)


def classes_of(info: AttentionInfo) -> list[type]:
    """Returns the classes that a checkpoint with an operator may hold: its own, and the modules of its file."""
    original = getattr(info.cls, "original", info.cls)
    beside = vars(sys.modules[original.__module__]).values() if original.__module__ in sys.modules else ()
    modules = [one for one in beside if isinstance(one, type) and one.__module__ == original.__module__]
    return [info.cls, original, *(one for one in modules if issubclass(one, nn.Module))]


def built(info: AttentionInfo, channels: int, options: Mapping) -> Attention:
    """Returns an operator; somebody's own is tried on a small map first.

    Raises:
        AttentionError: It cannot be built, or does not keep a map's shape; the message says what to do.
    """
    if info.cls.registered is None:
        return info.cls(channels, **options)
    x = torch.zeros(1, channels, 8, 8, device="cpu")
    try:
        with torch.random.fork_rng(devices=[]), torch.device("cpu"), torch.no_grad():
            module = info.cls(channels, **options).eval()
            y = module(x)
    except AttentionError:
        raise
    except Exception as error:
        why = f"{brief(error)}{_line_in(info, error)}"
        raise AttentionError(f"{info.name} fails with {channels} channels: {why}") from error
    if missing := [option for option in info.options if not hasattr(module, option)]:
        first = missing[0]
        raise AttentionError(f"{info.name} must keep its option: write self.{first} = {first} in its constructor")
    if not isinstance(y, torch.Tensor) or y.shape != x.shape:
        got = tuple(y.shape) if isinstance(y, torch.Tensor) else type(y).__name__
        raise AttentionError(f"{info.name} makes {got} of a map {tuple(x.shape)}; attention keeps the shape of its map")
    return info.cls(channels, **options)


def restored(name: str, where: str) -> nn.Module:
    """Returns an empty instance of the operator `name`, which a pickle then fills.

    Raises:
        AttentionError: It is not registered here; the message says how to do it.
    """
    return _class(name, where).__new__(_class(name, where))


def restored_form(name: str, where: str) -> nn.Module:
    """Returns an empty deploy form of the operator `name`, which a pickle then fills; raises as `restored`."""
    _class(name, where)
    return DeployedOwn.__new__(DeployedOwn)


class DeployedOwn(DeployedTransform):
    """Somebody's own operator for inference, whatever form it gave itself; pickled by the operator's name, too."""

    def __init__(self, operator: Attention):
        super().__init__(operator.deploy(), None, operator.describe())
        self.registered = operator.registered
        self.eval().requires_grad_(False)

    def __reduce_ex__(self, protocol: Any) -> tuple:
        return restored_form, self.registered, self.__dict__


def _register(cls: type[nn.Module], name: str = "") -> AttentionInfo:
    if why := sources.mismatch(cls):
        raise AttentionError(f"{getattr(cls, '__name__', cls)} {why}")
    info = _described(cls, name or cls.__name__)
    if not info.name.isidentifier():
        raise AttentionError(f"'{info.name}' is no name for an operator; write letters and digits, such as MyAttention")
    for other in (*built_in(), *_infos.values()):
        mine = other.name == info.name and _where(other.cls) == _where(info.cls)  # once more, perhaps from a notebook
        if not mine and key(info.name) in map(key, (other.name, *other.aliases)):
            raise AttentionError(f"the name {info.name} is that of an operator, {other.name}; call yours otherwise")
    if issubclass(cls, Attention):
        odd = [one for one, default in cls.options().items() if not isinstance(default, bool | int | float | None)]
        if odd:
            raise AttentionError(f"option '{odd[0]}' of {info.name} needs a number, true, false or None as its default")
        if not cls.gates and cls.forward is Attention.forward:
            raise AttentionError(f"{info.name} names no gates and writes no forward: it would do nothing")
    info.cls.__reduce_ex__ = _reduce  # type: ignore[method-assign,assignment]
    info.cls.registered = (info.name, _where(info.cls))
    for check in _checks:
        check(info)
    _infos[info.name] = info
    return info


def _described(cls: type[nn.Module], name: str) -> AttentionInfo:
    """Returns what is known of an operator: its file's `INFO`, or what its class tells."""
    info = getattr(sys.modules.get(cls.__module__), "INFO", None)
    made: type[Attention] = cls if issubclass(cls, Attention) else wrapped(cls, name)
    if isinstance(info, AttentionInfo) and info.cls is cls:
        return info
    title = (cls.__doc__ or "").strip().partition("\n")[0].rstrip(".")
    numbers = tuple(
        option for option, value in made.options().items() if isinstance(value, int) and not isinstance(value, bool)
    )
    return AttentionInfo(name, made, KIND, title, paper="", year=0, positional=numbers, aliases=())


def _line_in(info: AttentionInfo, error: BaseException) -> str:
    """Returns ` (my_attention.py, line 7)`, where in the operator's file an error came up."""
    file = getattr(sys.modules.get(getattr(info.cls, "original", info.cls).__module__), "__file__", None)
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == file]
    return f" ({Path(str(file)).name}, line {lines[-1]})" if lines else ""


def _class(name: str, where: str) -> type[Attention]:
    infos()
    if name not in _infos:
        raise AttentionError(
            f"this checkpoint needs the operator {name} of {where}, which is not registered here{failure()}: set "
            f"{sources.VARIABLE}={where}, or call yolo_attn.register({name}), or install its package"
        )
    return _infos[name].cls


def _reduce(self: Attention, protocol: Any) -> tuple:
    state = getattr(self, "__getstate__", lambda: self.__dict__)()
    return restored, self.registered, state


def _where(cls: type) -> str:
    """Returns the file or the module that defines a class, as `YOLO_ATTN_OPERATORS` would name it."""
    module = getattr(cls, "original", cls).__module__
    return module if "." in module else f"{module}.py"
