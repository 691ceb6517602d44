"""What stands on every row of a committed result: where and with what it was measured."""

import csv
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


def processor() -> str:
    """Returns the processor's model name, which `platform` leaves out on Linux."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())
