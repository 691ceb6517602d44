"""`/health`: whether every source delivers and no stage is stuck."""

import time

from yolo_attn.live.sources import Source
from yolo_attn.live.status import Status

STUCK_SECONDS = 10.0  # at one frame; the watchdog, which ends the run, waits longer


def of(status: Status | None) -> dict:
    """Returns how a run is, ready for JSON: `wrong` is empty where it is well. A pause is no fault, as somebody asked
    for it; what was lost is told, and does not come back by another start.
    """
    if status is None:
        return {"status": "starting", "wrong": ["the run has not begun"]}
    wrong = [f"{source.label}: {fault}" for source in status.sources if (fault := fault_of(source))]
    if stage := status.pipeline.stuck(STUCK_SECONDS):
        wrong.append(f"the stage '{stage}' has been at one frame for more than {STUCK_SECONDS:.0f} s")
    if time.monotonic() - status.remembered > STUCK_SECONDS:
        wrong.append(f"drawing and writing have been at one frame for more than {STUCK_SECONDS:.0f} s")
    return {
        "status": "wrong" if wrong else "well",
        "wrong": wrong,
        "lost": list(status.lost),
        "paused": status.pipeline.paused,
        "sources": [
            {"index": source.index, "name": source.label, "state": source.state, "error": source.error}
            for source in status.sources
        ],
    }


def fault_of(source: Source) -> str:
    """Returns why a source does not deliver, or not all; empty where it does, or has come to a good end."""
    if source.state == "running" or (source.state == "ended" and not source.error):
        return ""
    return f"{source.state}, {source.error}" if source.error else source.state
