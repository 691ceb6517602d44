"""`yolo-attn latency`: what each attention layer of exported files takes here, from ONNX Runtime's profiler.

The CSV has a row for each file as a whole and one for each of its layers: `milliseconds` are those of its kernels,
`layout` those of the changes of layout beside it, and of all of them in the row of the whole.
"""

import csv
import os
import statistics
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import onnxruntime

from yolo_attn.device.options import LatencyOptions
from yolo_attn.device.paths import KEY, described
from yolo_attn.device.profile import Times, attributed, timed
from yolo_attn.errors import AttentionError

ROUNDS = 3
COLUMNS = ("file", "layer", "operator", "milliseconds", "layout")


class Row(NamedTuple):
    """A line of the CSV; that of a whole file has no layer."""

    file: str
    layer: str
    operator: str
    milliseconds: float
    layout: float


def command(options: LatencyOptions) -> int:
    """Measures every file, prints the times and writes them down; returns 0 when it is done.

    Raises:
        AttentionError: A file cannot be run, or the CSV is there already.
    """
    files = [Path(one.strip()) for one in options.model.split(",") if one.strip()]
    if options.o and Path(options.o).exists() and not options.exist_ok:
        raise AttentionError(f"'{options.o}' is there already: write exist_ok=True to replace it, or another name")
    for file in files:
        check(file)
    if twice := {file.name for file in files if [one.name for one in files].count(file.name) > 1}:
        raise AttentionError(f"two files are called {twice.pop()}, and the CSV knows them by their names: rename one")
    rows = [row for file in files for row in measured(file)]
    for row in rows:
        print(f"{row.file:<24} {row.layer or 'whole':<20} {row.milliseconds:9.3f} ms  {row.operator}".rstrip())
    if options.o:
        write(rows, Path(options.o))
        print(f"written: {options.o}")
    return 0


def check(file: Path) -> None:
    """Looks at a file before anything is measured.

    Raises:
        AttentionError: It is no ONNX file with an input of a fixed size.
    """
    if file.suffix != ".onnx":
        raise AttentionError(f"'{file}' is no .onnx file: yolo export model={file.stem}.pt format=onnx makes one")
    if not file.is_file():
        raise AttentionError(f"there is no file '{file}'")
    session = opened(file, onnxruntime.SessionOptions())
    if not all(isinstance(length, int) for length in session.get_inputs()[0].shape):
        raise AttentionError(f"'{file}' leaves the size of its input open: export it without dynamic=True")


def opened(file: Path, options: onnxruntime.SessionOptions) -> onnxruntime.InferenceSession:
    """Returns a session on the CPU.

    Raises:
        AttentionError: ONNX Runtime cannot read the file.
    """
    try:
        return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # of a class of its own for each reason
        raise AttentionError(f"ONNX Runtime cannot load '{file}': {str(error).splitlines()[0]}") from None


def measured(file: Path) -> list[Row]:
    """Returns the rows of a file: the medians of several rounds."""
    metadata = opened(file, onnxruntime.SessionOptions()).get_modelmeta().custom_metadata_map
    layers = described(metadata.get(KEY, ""))
    rounds = [attributed(timed(lambda options: opened(file, options)), layers) for _ in range(ROUNDS)]

    def median(values: Iterable[float]) -> float:
        return round(statistics.median(values) / 1e3, 6)

    whole = Row(file.name, "", "", median(one.whole for one in rounds), median(one.changes for one in rounds))
    return [whole] + [
        Row(
            file.name, layer, operator, median(one.inside[layer] for one in rounds),
            median(one.layout[layer] for one in rounds),
        )
        for layer, operator in layers.items()
    ]  # fmt: skip


def write(rows: Iterable[Row], file: Path) -> None:
    """Writes the rows, whole or not at all."""
    made = file.with_name(f".{file.name}.{os.getpid()}")
    with made.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(rows)
    made.replace(file)


def read(file: Path) -> Mapping[str, Times]:
    """Returns the times of each file that a CSV has, by the file's name.

    Raises:
        AttentionError: It is no CSV of this command's.
    """
    found: dict[str, Times] = {}
    try:
        with file.open(encoding="utf-8", newline="") as stream:
            for row in csv.DictReader(stream):
                inside, layout = 1e3 * float(row["milliseconds"]), 1e3 * float(row["layout"])
                if row["layer"]:
                    found[row["file"]].inside[row["layer"]] = inside
                    found[row["file"]].layout[row["layer"]] = layout
                else:
                    found[row["file"]] = Times(inside, layout, {}, {})
    except OSError as error:
        raise AttentionError(f"latency={file} cannot be read: {error.strerror}") from None
    except (KeyError, ValueError, TypeError):
        raise AttentionError(f"latency={file} is no file of yolo-attn latency: columns {', '.join(COLUMNS)}") from None
    return found
