"""The runs of a comparison on a Ray cluster: the same processes wherever there is room, and their folders fetched."""

import contextlib
import io
import os
import socket
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from ultralytics.utils import LOGGER, TQDM

from yolo_attn.errors import AttentionError, brief
from yolo_attn.evidence.cells import Cell
from yolo_attn.evidence.comparison import Comparison
from yolo_attn.evidence.here import outcome, started
from yolo_attn.evidence.ledger import Run, State
from yolo_attn.nn.sources import VARIABLE

RETRIES = 5  # of a run whose worker died


def run_all(comparison: Comparison, address: str, gpus: float) -> None:
    """Makes every run that is not done on the cluster at `address`; `auto` is the one that is running here.

    Args:
        comparison: What to run. Its data must be at the same path on every machine.
        address: The cluster's.
        gpus: How much of a GPU a run takes, 0.5 or 2; none where the cluster has none.

    Raises:
        AttentionError: Ray is not installed, or there is no such cluster.
    """
    try:
        import ray
    except ImportError:
        raise AttentionError("ray= needs Ray: pip install 'yolo_attn[ray]'") from None
    if not answers(address):
        raise AttentionError(f"nothing answers at ray={address}: ray start --head --port=6379 makes a cluster")
    variables = {name: os.environ[name] for name in (VARIABLE,) if name in os.environ}
    try:
        ray.init(address=address, log_to_driver=False, runtime_env={"env_vars": variables})
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise AttentionError(f"no Ray cluster at ray={address} ({brief(error)}): ray start --head makes one") from None
    share = gpus if ray.cluster_resources().get("GPU") else 0
    task = ray.remote(num_cpus=1, num_gpus=share, max_retries=RETRIES)(work)
    runs, epochs = comparison.runs(), comparison.epochs
    waiting = {}
    for run in runs:
        if run.state(epochs) not in (State.DONE, State.FAILED):
            job = (tuple(run.cell), model_text(run.cell), run.seed, comparison.training, packed(run))
            waiting[task.remote(*job)] = run
    try:
        with TQDM(total=len(runs), initial=len(runs) - len(waiting), desc="runs", disable=False) as bar:
            while waiting:
                for done in ray.wait(list(waiting), timeout=None)[0]:
                    run = waiting.pop(done)
                    fetch(ray, done, run)
                    bar.update(1)
                    LOGGER.info(f"{run}: {outcome(run, epochs)}")
    finally:
        ray.shutdown()


def answers(address: str) -> bool:
    """Tells whether somebody listens at an address with a port; Ray itself would ask for minutes."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if not port.isdigit():  # auto, local
        return True
    try:
        with socket.create_connection((host, int(port)), timeout=5):
            return True
    except OSError:
        return False


def fetch(ray: Any, done: Any, run: Run) -> None:
    """Brings the folder of a run that has ended; one whose workers have all died is left as it was."""
    try:
        archive = ray.get(done)
    except ray.exceptions.RayError as error:
        LOGGER.warning(f"{run}: {brief(error)}")
        return
    run.clear()
    run.folder.parent.mkdir(parents=True, exist_ok=True)
    unpack(archive, run.folder.parent)


def work(cell: tuple, text: str, seed: int, arguments: dict, archive: bytes) -> bytes:
    """Makes a run on a worker, from what there is of it on, and returns its folder."""
    with tempfile.TemporaryDirectory(prefix="yolo_attn-compare-") as name:
        folder = Path(name)
        made = Cell(*cell)
        if text:
            made = made._replace(model=str(folder / Path(made.model).name))
            Path(made.model).write_text(text, encoding="utf-8")
        run = Run(folder, made, seed)
        run.folder.parent.mkdir(parents=True)
        unpack(archive, run.folder.parent)
        with started(folder, run, arguments) as process:
            process.wait()
        return packed(run)


def model_text(cell: Cell) -> str:
    """Returns the text of a cell's model where it is a file of the user's; nothing where Ultralytics knows the name."""
    with contextlib.suppress(OSError):
        return Path(cell.model).read_text(encoding="utf-8")
    return ""


def packed(run: Run) -> bytes:
    """Returns a run's folder and what it said, as an archive; the run can be resumed from it."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for path in (run.folder, run.log):
            if path.exists():
                archive.add(path, path.name)
    return stream.getvalue()


def unpack(archive: bytes, folder: Path) -> None:
    """Unpacks a run's archive."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        opened.extractall(folder, filter="data")
