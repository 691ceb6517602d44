"""What the device saves: installed size and the time for one picture, with and without the training stack.

`python -m benchmarks.live.start model.onnx` makes an environment with requirements-edge.txt and the package, and times
`yolo-attn live model=... source=picture` there and `yolo predict model=... source=picture` in the running environment,
from the command to its end, in turns. The running environment's size is that of the package's requirements and theirs.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

from benchmarks import arguments
from benchmarks.machine import machine, write_rows
from tests.support.environments import ROOT, build_wheel, clean_variables, create_environment, install, pip

FILE = Path(__file__).with_suffix(".csv")
CODE = "import importlib.metadata as m; print(*(d.metadata['Name'] for d in m.distributions()))"


def closure(names: list[str]) -> set[str]:
    """Returns the names of packages and of all that they require here."""
    found: set[str] = set()
    while names:
        name = names.pop().lower().replace("_", "-")
        if name in found:
            continue
        try:
            required = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue
        found.add(name)
        wanted = [Requirement(line) for line in required]
        names += [one.name for one in wanted if one.marker is None or one.marker.evaluate({"extra": ""})]
    return found


def size(name: str) -> int:
    """Returns the bytes of an installed package's files."""
    files = [file.locate() for file in metadata.files(name) or []]
    return sum(Path(str(file)).stat().st_size for file in files if Path(str(file)).is_file())


def main() -> None:
    """Measures, prints and writes benchmarks/live/start.csv."""
    parser = arguments.parser(__doc__)
    parser.add_argument("model", help="an ONNX file")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    from tests.support.live_models import PICTURES

    lines = [line for line in (ROOT / "requirements.txt").read_text().splitlines() if line and line[0] != "#"]
    full = closure([one.name for one in map(Requirement, lines) if one.marker is None or one.marker.evaluate()])
    with tempfile.TemporaryDirectory() as folder:
        environment = create_environment(Path(folder))
        pip("--python", environment.python, "install", "--quiet", "-r", ROOT / "requirements-edge.txt")
        install(environment, build_wheel(Path(folder)))
        edge = sum(path.stat().st_size for path in environment.site.rglob("*") if path.is_file())
        count = len(environment.run("python", "-c", CODE).stdout.split())
        job = [f"model={Path(options.model).absolute()}", f"source={PICTURES[0]}"]
        yolo = [str(Path(sys.executable).with_name("yolo")), "predict", *job, "save=False"]
        commands = {"full": yolo, "edge": [str(environment.root / "bin" / "yolo-attn"), "live", *job]}
        times: dict[str, list[float]] = {name: [] for name in commands}
        for turn in range(options.rounds + 1):
            for name, command in commands.items():
                variables = os.environ if name == "full" else clean_variables()
                began = time.perf_counter()
                subprocess.run(command, cwd=environment.cwd, env=dict(variables), capture_output=True, check=True)
                if turn:  # the first warms the disk
                    times[name].append(time.perf_counter() - began)
    ratio = statistics.median(f / e for f, e in zip(times["full"], times["edge"], strict=True))
    rows = [
        {"environment": name, "packages": packages, "MB": round(size_ / 1e6), "one picture, s": round(took, 2)}
        for name, packages, size_, took in (
            ("full", len(full) + 1, sum(map(size, full)), statistics.median(times["full"])),
            ("edge", count, edge, statistics.median(times["edge"])),
        )
    ]
    common = {"full over edge, time": round(ratio, 1)} | machine("torch", "ultralytics", "onnxruntime-gpu")
    print(write_rows(FILE, rows, common).read_text())


if __name__ == "__main__":
    main()
