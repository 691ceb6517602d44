"""What the start-up hook adds to every start of Python: `python -m benchmarks.cpu.startup [--editable]`.

The wheel is installed alone in a new environment, and `python -c pass` is timed there with its start-up files in place
and with them moved away: all else, down to the listing of site-packages, is the same. The variants take turns, in
another order each round, so that a machine that grows slower meanwhile slows all of them. What is added is the median
of the rounds' differences; "nothing, again" is the reference against itself and shows what this machine can resolve.

An editable install has a path file of setuptools beside ours, which imports setuptools' finder at every start. Its cost
is listed apart: a wheel does not have it.
"""

import datetime
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from benchmarks import arguments
from benchmarks.machine import processor, write_rows
from tests.support import environments as packaging
from tests.support.environments import Environment

FILE = Path(__file__).with_suffix(".csv")
LIMIT_MS = 1.0  # what the wheel's hook may add, median
WARM_UP = 5  # rounds that are not counted
IMPORT_TIMES = 20  # runs with -X importtime


class Variant(NamedTuple):
    """Start-up files that are in place, by the start of their names, and the variant that it is compared to."""

    install: str
    name: str
    files: tuple[str, ...]
    reference: str
    environment: dict[str, str] = {}  # noqa: RUF012


WHEEL = (
    Variant("wheel", "nothing", (), "nothing"),
    Variant("wheel", "nothing, again", (), "nothing"),
    Variant("wheel", "hook", ("yolo_attn.",), "nothing"),
    Variant("wheel", "hook, YOLO_ATTN=0", ("yolo_attn.",), "nothing", {"YOLO_ATTN": "0"}),
)
EDITABLE = (
    Variant("editable", "nothing", (), "nothing"),
    Variant("editable", "setuptools' finder", ("__editable__.",), "nothing"),
    Variant("editable", "finder and hook", ("__editable__.", "yolo_attn."), "setuptools' finder"),
)


def measure(environment: Environment, variants: tuple[Variant, ...], rounds: int) -> dict[str, list[float]]:
    """Returns the milliseconds of `python -c pass` in every round, by the variant's name."""
    times: dict[str, list[float]] = {variant.name: [] for variant in variants}
    for i in range(-WARM_UP, rounds):
        turn = i % len(variants)
        for variant in (*variants[turn:], *variants[:turn]):
            put_in_place(environment.site, variant.files)
            variables = {**packaging.clean_variables(), **variant.environment}
            start = time.perf_counter()
            subprocess.run([environment.python, "-c", "pass"], cwd=environment.cwd, env=variables, check=True)
            if i >= 0:
                times[variant.name].append((time.perf_counter() - start) * 1e3)
    put_in_place(environment.site, ("__editable__.", "yolo_attn."))
    return times


def put_in_place(site: Path, files: tuple[str, ...]) -> None:
    """Moves start-up files away, by an ending that Python does not look at, or back."""
    for path in [p for p in site.iterdir() if {".pth", ".start"} & set(p.suffixes)]:
        name = path.name.removesuffix(".away")
        path.rename(site / (name if name.startswith(files or ("/",)) else f"{name}.away"))


def import_times(environment: Environment) -> tuple[float, float]:
    """Returns the median milliseconds that Python itself reports for our two modules, and for all of `site`."""
    ours, all_of_site = [], []
    for _ in range(IMPORT_TIMES):
        done = environment.run("python", "-X", "importtime", "-c", "pass").stderr
        cumulative = {}
        for line in done.splitlines()[1:]:
            _, total, module = line.split("|")
            cumulative[module.strip()] = float(total) / 1e3
        ours.append(cumulative["yolo_attn.boot"])  # which imports yolo_attn, too
        all_of_site.append(cumulative["site"])
    return statistics.median(ours), statistics.median(all_of_site)


def rows(variants: tuple[Variant, ...], times: dict[str, list[float]]) -> Iterator[dict[str, object]]:
    """Yields a row of the table for each variant."""
    for variant in variants:
        own = times[variant.name]
        added = [a - b for a, b in zip(own, times[variant.reference], strict=True)]
        low, middle, high = statistics.quantiles(added, n=4)
        yield {
            "install": variant.install,
            "variant": variant.name,
            "median_ms": round(statistics.median(own), 3),
            "compared_to": variant.reference,
            "added_ms": round(middle, 3),
            "added_quartile_1_ms": round(low, 3),
            "added_quartile_3_ms": round(high, 3),
            "rounds": len(own),
        }


def machine() -> dict[str, str]:
    """Returns what a result depends on besides our code."""
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": f"{processor()}, {os.cpu_count()} cores",
        "date": datetime.date.today().isoformat(),
    }


def main() -> int:
    """Measures, prints the table and writes it; the exit status is 1 if the wheel's hook adds too much."""
    parser = arguments.parser(__doc__)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--editable", action="store_true", help="measure an editable install too")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        wheel = packaging.build_wheel(Path(folder))
        (Path(folder) / "wheel-environment").mkdir()
        environment = packaging.create_environment(Path(folder) / "wheel-environment")
        packaging.install(environment, wheel)
        table = list(rows(WHEEL, measure(environment, WHEEL, options.rounds)))
        ours, all_of_site = import_times(environment)
        if options.editable:
            (Path(folder) / "editable-environment").mkdir()
            environment = packaging.create_environment(Path(folder) / "editable-environment")
            packaging.install_editable(environment, Path(folder) / "sources", Path(folder) / "tools")
            table += rows(EDITABLE, measure(environment, EDITABLE, options.rounds))
    versions = {"yolo_attn": wheel.name.split("-")[1], **machine()}
    write_rows(FILE, table, versions)
    for row in table:
        print(
            f"{row['install']:<10}{row['variant']:<22}{row['median_ms']:>8.2f} ms   added to {row['compared_to']}: "
            f"{row['added_ms']:+.2f} ms ({row['added_quartile_1_ms']:+.2f} … {row['added_quartile_3_ms']:+.2f})"
        )
    print(f"-X importtime: yolo_attn and yolo_attn.boot {ours:.2f} ms of {all_of_site:.2f} ms in site")
    added = next(float(str(row["added_ms"])) for row in table if row["variant"] == "hook")
    print(f"The wheel's hook adds {added:.2f} ms; {LIMIT_MS:.1f} ms are allowed {'✅' if added < LIMIT_MS else '❌'}")
    return int(added >= LIMIT_MS)


if __name__ == "__main__":
    sys.exit(main())
