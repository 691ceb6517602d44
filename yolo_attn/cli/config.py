"""`config=live.yaml`: the keys of `yolo-attn live` in a file, and sources with settings of their own.

What is typed prevails over the file. PyYAML is imported here alone, so that a device needs it for `config=` only.
"""

import dataclasses
from pathlib import Path
from typing import Any

from yolo_attn.cli.keys import Key, choices, keys_of, read_options
from yolo_attn.errors import AttentionError
from yolo_attn.live.options import LiveOptions, SourceOptions

SOURCES, RULES = "sources", "on"


def read_live(words: list[str]) -> LiveOptions:
    """Returns the options of `yolo-attn live` that its words and the file of `config=` among them say.

    Raises:
        AttentionError: A word or a key does not fit; for the file's, the line names file, line and key.
    """
    files = [word.partition("=")[2] for word in words if word.startswith("config=")]
    if len(files) != 1 or not files[0]:
        return read_options("live", LiveOptions, words)
    typed = {word.partition("=")[0] for word in words}
    model = next(
        (word for word in words if "=" not in word and word not in {key.name for key in keys_of(LiveOptions)}), ""
    )
    if model:  # `yolo-attn live best.onnx config=live.yaml`
        words, typed = [f"model={model}" if word == model else word for word in words], typed | {"model"}
    said, sources = _read(files[0])
    words = [*words, *(f"{key}={text}" for key, text in said.items() if key not in typed)]
    options: LiveOptions = read_options("live", LiveOptions, words)
    return dataclasses.replace(options, source=sources) if sources and "source" not in typed else options


def _read(file: str) -> tuple[dict[str, str], list[SourceOptions]]:
    """Returns a file's keys with their texts, and its sources."""
    known = {key.name: key for key in keys_of(LiveOptions) if key.name != "config"}
    said, sources = {}, []
    for name, node in _pairs(_root(file), file, "").items():
        if name == SOURCES:
            sources = _sources(node, file)
        elif name not in known:
            raise _wrong(file, node, name, f"there is no such key{choices(name, [*known, SOURCES])}")
        else:
            said[name] = _text(known[name], node, file, name)
    if sources and "source" in said:
        raise AttentionError(f"config={file} has both source and sources: write one")
    return said, sources


def _root(file: str) -> Any:
    try:
        import yaml
    except ImportError as error:
        raise AttentionError(f"config={file} needs PyYAML ({error}): pip install pyyaml") from None
    try:
        return yaml.compose(Path(file).read_text(encoding="utf-8-sig"), Loader=yaml.BaseLoader)
    except OSError as error:
        raise AttentionError(f"config={file} cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise AttentionError(f"config={file}{where} is no YAML: {str(error).splitlines()[0]}") from None


def _pairs(node: Any, file: str, where: str) -> dict[str, Any]:
    """Returns the keys of a mapping and their nodes. Every scalar is the text that stands there: `on` is a key."""
    if node is None or node.id != "mapping":
        raise AttentionError(
            f"config={file}{f': {where}' if where else ''} must be keys with values, as model: best.onnx"
        )
    found: dict[str, Any] = {}
    for key, value in node.value:
        if key.id != "scalar" or key.value in found:
            raise _wrong(file, key, f"{where}{key.value if key.id == 'scalar' else '?'}", "it must be one word, once")
        found[key.value] = value
    return found


def _sources(node: Any, file: str) -> list[SourceOptions]:
    if node.id != "sequence" or not node.value:
        raise _wrong(file, node, SOURCES, "it must be a list, with - before each source")
    known, found = {key.name: key for key in keys_of(SourceOptions)}, []
    for number, one in enumerate(node.value, 1):
        where = f"{SOURCES}, {number}: "
        if one.id == "scalar":
            found.append(SourceOptions(one.value))
            continue
        pairs = _pairs(one, file, where)
        if unknown := next((name for name in pairs if name not in known), ""):
            raise _wrong(file, pairs[unknown], where + unknown, f"there is no such key{choices(unknown, known)}")
        if "source" not in pairs:
            raise _wrong(file, one, f"{SOURCES}, {number}", "it needs source: with a URL, a number or a file")
        values = {
            name: known[name].read(_text(known[name], value, file, where + name)) for name, value in pairs.items()
        }
        found.append(SourceOptions(**values))
    return found


def _text(key: Key, node: Any, file: str, where: str) -> str:
    """Returns a key's value as somebody would type it, after a look at whether it fits."""
    if node.id == "sequence" and all(one.id == "scalar" for one in node.value):
        text = ("; " if key.name == RULES else ",").join(one.value for one in node.value)
    elif node.id == "scalar":
        text = node.value
    else:
        raise _wrong(file, node, where, f"it must be {key.kind}")
    if not text:
        raise _wrong(file, node, where, f"it has no value: write {key.kind}")
    try:
        key.read(text)
    except AttentionError as error:
        raise _wrong(file, node, where, str(error)) from None
    return text


def _wrong(file: str, node: Any, where: str, why: str) -> AttentionError:
    return AttentionError(f"config={file}, line {node.start_mark.line + 1}, {where}: {why}")
