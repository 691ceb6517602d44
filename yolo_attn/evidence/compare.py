"""`yolo-attn compare`: models over several seeds, and what they say about each other.

It can be stopped at any moment, and killed: the same command goes on from what the folders hold.
"""

from filelock import FileLock, Timeout
from ultralytics.utils import LOGGER

from yolo_attn.errors import AttentionError
from yolo_attn.evidence import comparison, dataset, here, plan, report
from yolo_attn.evidence.comparison import Comparison
from yolo_attn.evidence.ledger import State
from yolo_attn.evidence.options import CompareOptions
from yolo_attn.evidence.verdict import check_packages


def command(options: CompareOptions) -> int:
    """Plans, runs and reports; returns the exit status, 1 where a run failed or is missing."""
    check_packages()
    asked = comparison.joined(plan.make(options))
    data = dataset.read(plan.check_model(asked.base.model).task, asked.data)
    plan.check_room(asked)
    asked.folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(asked.folder / ".lock", timeout=0):
            asked.save()
            LOGGER.info(plan.text(asked, plan.seconds(asked, data)))
            run(asked, options)
            LOGGER.info(report.write(asked))
    except Timeout:
        raise AttentionError(f"another command is at work in {asked.folder}: wait for it, or give a name=…") from None
    except KeyboardInterrupt:
        LOGGER.info(f"\nstopped: the same command goes on with what {asked.folder} holds")
        raise
    return int(any(one.state(asked.epochs) is not State.DONE for one in asked.runs()))


def run(asked: Comparison, options: CompareOptions) -> None:
    """Makes the runs, here or on a cluster."""
    if options.ray:
        from yolo_attn.evidence import cluster

        cluster.run_all(asked, options.ray, options.gpus)
    else:
        here.run_all(asked)
