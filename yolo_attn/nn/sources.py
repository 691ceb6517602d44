"""Where operators that are not this package's come from: files and modules that the environment names, and packages.

    YOLO_ATTN_OPERATORS=my_attention.py                    a file; several are joined as in PATH
    YOLO_ATTN_OPERATORS=my_package.attention               a module
    [project.entry-points."yolo_attn.operators"]           a package that is installed
    MyAttention = "my_package.attention:MyAttention"

Nothing else makes this package import anything: no row, no name and no checkpoint.
"""

import hashlib
import importlib
import importlib.util
import inspect
import json
import os
import sys
import traceback
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType

from torch import nn

from yolo_attn.errors import AttentionError, brief
from yolo_attn.nn.base import Attention

VARIABLE = "YOLO_ATTN_OPERATORS"
DIGESTS = "YOLO_ATTN_OPERATORS_DIGESTS"  # what the files were in the process that started this one: path → SHA-256
GROUP = "yolo_attn.operators"


def announced() -> Iterator[tuple[str, list[type] | AttentionError]]:
    """Yields each source that the environment or an installed package names, with its classes or what is wrong."""
    named = [source for source in os.environ.get(VARIABLE, "").split(os.pathsep) if source]
    if named:  # processes that this one starts may do so in another folder
        os.environ[VARIABLE] = os.pathsep.join(
            str(Path(source).expanduser().resolve()) if is_file(source) else source for source in named
        )
    for source in named:
        try:
            yield source, load(source)
        except AttentionError as error:
            yield source, error
    for entry in entry_points(group=GROUP):
        try:
            found = entry.load()
        except Exception as error:
            package = entry.dist.name if entry.dist else entry.value
            yield entry.value, AttentionError(f"operator {entry.name} of package {package}: {brief(error)}")
        else:
            yield entry.value, classes_of(found, entry.value) if isinstance(found, ModuleType) else [found]


def load(source: str) -> list[type]:
    """Returns the operator classes of a file, `my_attention.py`, or of a module, `my_package.attention`.

    Raises:
        AttentionError: It cannot be imported, or has no operator; the message gives file and line.
    """
    return classes_of(from_file(source) if is_file(source) else from_name(source), source)


def is_file(source: str) -> bool:
    """Tells whether a source is a file, by how it is written; else it is a module."""
    return source.endswith(".py") or os.sep in source


def from_file(source: str) -> ModuleType:
    """Imports a file as the module of its name, which is what checkpoints call its classes by."""
    file = Path(source).expanduser().resolve()
    if not file.is_file():
        raise AttentionError(f"{VARIABLE} names {source}, and there is no such file")
    name = file.stem
    if not name.isidentifier():
        raise AttentionError(f"{source}: a file of operators is imported by its name; call it {_identifier(name)}.py")
    if (loaded := sys.modules.get(name)) and _file_of(loaded) == file:
        return loaded
    if (other := importlib.util.find_spec(name)) and (not other.origin or Path(other.origin).resolve() != file):
        raise AttentionError(f"{source}: there is another module '{name}', {other.origin or name}; rename the file")
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None and spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException as error:
        del sys.modules[name]
        if not isinstance(error, Exception | SystemExit):
            raise
        raise AttentionError(f"{source}{_line(error, file)}: {brief(error)}") from error
    compare(module)
    return module


def from_name(source: str) -> ModuleType:
    """Imports a module by its dotted name."""
    try:
        module = importlib.import_module(source)
    except Exception as error:
        raise AttentionError(f"{VARIABLE} names {source}, which cannot be imported: {brief(error)}") from error
    compare(module)
    return module


def classes_of(module: ModuleType, source: str) -> list[type]:
    """Returns the operators of a module: what its `OPERATORS` lists, or else those that it defines.

    Without such a list they are its subclasses of `Attention`, or where it has none its public modules that can be
    built from the number of channels alone.

    Raises:
        AttentionError: There is none.
    """
    if (listed := getattr(module, "OPERATORS", None)) is not None:
        return list(listed)
    own = [
        cls
        for name, cls in vars(module).items()
        if isinstance(cls, type) and issubclass(cls, nn.Module) and cls.__module__ == module.__name__ and name[0] != "_"
    ]
    found: list[type] = [cls for cls in own if issubclass(cls, Attention)] or [cls for cls in own if not mismatch(cls)]
    if not found:
        why = f" ({own[0].__name__} {mismatch(own[0])})" if own else ""
        raise AttentionError(
            f"{source} has no operator{why}: a torch.nn.Module whose constructor takes the channels, and the rest by "
            "default, and whose forward takes one map"
        )
    return found


def mismatch(cls: type) -> str:
    """Returns what keeps a class from being an operator, as far as its signatures tell; nothing where it can be one."""
    if not (isinstance(cls, type) and issubclass(cls, nn.Module)):
        return "is no torch.nn.Module"
    if cls.__init__ is nn.Module.__init__:
        return "has a constructor that takes no channels"
    parameters = list(inspect.signature(cls).parameters.values())
    first, rest = parameters[0] if parameters else None, parameters[1:]
    fixed = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    if first is None or first.kind in (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.VAR_KEYWORD):
        return "has a constructor that takes no channels"
    if wants := [one.name for one in rest if one.default is one.empty and one.kind not in fixed]:
        return f"has a constructor that also wants {', '.join(wants)}, which a row need not give; give it a default"
    if cls.forward is nn.Module.forward:
        return "has no forward"
    taken = list(inspect.signature(cls.forward).parameters.values())[1:]
    needed = [one.name for one in taken if one.default is one.empty and one.kind not in fixed]
    if len(needed) > 1:
        return f"has a forward that needs {len(needed)} inputs, {', '.join(needed)}; attention takes one map"
    return "" if taken else "has a forward that takes no map"


def announce(cls: type) -> str:
    """Lets processes that this one starts find a class that was registered here; returns why they cannot, or nothing.

    Its file, or its module where that lies in a package, is added to the environment.
    """
    module = sys.modules.get(cls.__module__)
    file = _file_of(module) if module else None
    if cls.__module__ == "__main__" or file is None or "<locals>" in cls.__qualname__:
        return f"{cls.__name__} is defined in {cls.__module__}, which other processes cannot import: put it into a file"
    source = cls.__module__ if "." in cls.__module__ else str(file)
    sources = [one for one in os.environ.get(VARIABLE, "").split(os.pathsep) if one]
    same = {source, str(file)} | {one for one in sources if one.endswith(".py") and Path(one).resolve() == file}
    if not same & set(sources):
        os.environ[VARIABLE] = os.pathsep.join([*sources, source])
    compare(module)  # type: ignore[arg-type]
    return ""


def compare(module: ModuleType) -> None:
    """Raises AttentionError where a module's file is not what it was in the process that started this one."""
    file = _file_of(module)
    if file is None or not file.is_file():
        return
    digests = json.loads(os.environ.get(DIGESTS, "{}"))
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    if digests.setdefault(str(file), digest) != digest:
        raise AttentionError(f"{file} was changed since the process that started this one read it; start again")
    os.environ[DIGESTS] = json.dumps(digests)


def _file_of(module: ModuleType) -> Path | None:
    file = getattr(module, "__file__", None)
    return Path(file).resolve() if file else None


def _line(error: BaseException, file: Path) -> str:
    """Returns `, line 3`, the line of the file at which an error came up."""
    if isinstance(error, SyntaxError) and error.lineno and Path(error.filename or "").resolve() == file:
        return f", line {error.lineno}"
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if Path(f.filename).resolve() == file]
    return f", line {lines[-1]}" if lines else ""


def _identifier(name: str) -> str:
    word = "".join(letter if letter.isalnum() else "_" for letter in name)
    return word if word.isidentifier() else f"attention_{word}"
