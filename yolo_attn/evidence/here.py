"""The runs of a comparison on this machine, one after another, each a process of its own."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from ultralytics.utils import LOGGER, TQDM

from yolo_attn.errors import AttentionError
from yolo_attn.evidence.comparison import Comparison
from yolo_attn.evidence.ledger import Run, State
from yolo_attn.evidence.training import NO_ROOM

LOOK = 0.5  # seconds between two looks at a run


def run_all(comparison: Comparison) -> None:
    """Makes every run that is not done, and goes on with what was begun.

    Raises:
        AttentionError: The disk is full.
        KeyboardInterrupt: As it came; the run that it met can be resumed.
    """
    runs, epochs = comparison.runs(), comparison.epochs
    ended = [run for run in runs if run.state(epochs) in (State.DONE, State.FAILED)]
    with TQDM(total=len(runs) * epochs, initial=len(ended) * epochs, desc="epochs", disable=False) as bar:
        for i, run in enumerate(runs, 1):
            if run not in ended:
                bar.set_description(f"{run} ({i}/{len(runs)})")
                follow(comparison, run, bar)
                LOGGER.info(f"{i}/{len(runs)} {run}: {outcome(run, epochs)}")


def follow(comparison: Comparison, run: Run, bar: TQDM) -> None:
    """Makes one run and moves the bar with its epochs."""
    seen = 0
    with started(comparison.folder, run, comparison.training) as process:
        while process.poll() is None:
            time.sleep(LOOK)
            if more := len(run.rows()) - seen:
                bar.update(more)
                seen += more
    bar.update(max(comparison.epochs - seen, 0))
    if process.returncode == NO_ROOM:
        raise AttentionError(f"the disk of {comparison.folder} is full: make room, and the same command goes on")


@contextlib.contextmanager
def started(comparison: Path, run: Run, arguments: dict):
    """Starts the process of a run, which says what it has to say beside the run's folder; ends it with the block."""
    run.folder.parent.mkdir(parents=True, exist_ok=True)
    job = {"comparison": str(comparison), "cell": run.cell, "seed": run.seed, "arguments": arguments}
    command = [sys.executable, "-m", "yolo_attn.evidence.training"]
    with run.log.open("a", encoding="utf-8") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=log, stderr=log, text=True, start_new_session=True
        )
        assert process.stdin is not None
        try:
            process.stdin.write(json.dumps(job) + "\n")
            process.stdin.flush()
            yield process
        finally:
            if process.poll() is None:
                kill(process)
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()


def kill(process: subprocess.Popen) -> None:
    """Ends a run with all the processes that it has started."""
    if hasattr(os, "killpg"):
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()


def outcome(run: Run, epochs: int) -> str:
    """Returns in a few words what became of a run."""
    state = run.state(epochs)
    if state is State.DONE:
        curve = run.curve()
        return f"{curve[max(curve)]:.2f} after {max(curve)} epochs, {run.said()['seconds']:.0f} s"
    if state is State.FAILED:
        return f"failed: {run.why_failed()}; see {run.log}"
    return "was killed: the same command goes on with it"
