"""What stands on every row of a committed result: where and with what it was measured."""

import csv
import io
import platform
from importlib.metadata import version
from pathlib import Path


def machine(*packages: str) -> dict[str, str]:
    """Returns processor, Python and package versions as columns of a result row."""
    columns = {"machine": processor(), "python": platform.python_version()}
    return columns | {package: version(package) for package in ("yolo_attn", *packages)}


def write_rows(file: Path, rows: list[dict], where: dict) -> Path:
    """Writes `rows`, each with the columns of `where` behind it, into a CSV file and returns the file.

    A column that only some rows have is empty in the others.
    """
    columns = list(dict.fromkeys(key for row in [*rows, where] for key in row))
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(row | where for row in rows)
    return file


def update_rows(file: Path, rows: list[dict], where: dict) -> Path:
    """Writes `rows` as `write_rows` does, each in the place of the row with the same first column, or behind all."""
    name = next(iter(rows[0]))
    with file.open(encoding="utf-8") if file.exists() else io.StringIO() as stream:
        found = {row[name]: row for row in csv.DictReader(stream)}
    return write_rows(file, [*(found | {row[name]: row | where for row in rows}).values()], {})


def processor() -> str:
    """Returns the processor's model name, which `platform` leaves out on Linux."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())
