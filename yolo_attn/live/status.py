"""What is said of a run: the status line, the page's numbers, and the closing lines."""

import time
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path

from yolo_attn.live.pipeline import Pipeline
from yolo_attn.live.results import Result
from yolo_attn.live.stats import Stats

STATUS_SECONDS = 0.5  # between two states of the status line and of the page
SNAPSHOTS, SHOWN = 64, 6  # whose files the page hands out, and those that it shows
HISTORY = 240  # states that the page's chart shows: two minutes


class Status:
    """Reads a run's numbers; it changes nothing but the history of them, which `remember` adds to.

    Args:
        pipeline: Where the results come from.
        stats: What was counted of them.
        results: The newest of each source, by its index.
        lost: What was asked for and is lost, a line each.

    Attributes:
        gate: Which gate lies over the pictures; -1 for none.
        snapshots: The newest pictures that were asked for.
        remembered: When the run's main loop was last here, on the monotonic clock.
    """

    def __init__(self, pipeline: Pipeline, stats: Stats, results: Mapping[int, Result], lost: Sequence[str] = ()):
        self.pipeline, self.sources, self.stats, self.results = pipeline, pipeline.sources, stats, results
        self.lost = lost
        self.began = self.remembered = time.monotonic()
        self.gate = -1  # which one lies over the pictures; none
        self.snapshots: deque[Path] = deque(maxlen=SNAPSHOTS)
        self.history: deque[tuple[float, float]] = deque(maxlen=HISTORY)

    def remember(self) -> None:
        """Adds the rate and the lag of now to the history."""
        self.remembered = time.monotonic()
        self.history.append((self.stats.rate.fps, self.stats.recent_lag * 1000))

    def line(self) -> str:
        """Returns the status line."""
        stats = self.stats
        said = [
            f"{stats.rate.fps:.1f} fps",
            f"lag {stats.recent_lag * 1000:.0f} ms (p95 {stats.lag.percentile(95) * 1000:.0f})",
        ]
        said.append(", ".join(f"{count} {name}" for name, count in list(self.counts().items())[:5]) or "nothing found")
        others = [
            f"{s.label} {s.state}{f' ({s.error})' if s.error else ''}" for s in self.sources if s.state != "running"
        ]
        return "  ".join([*(["paused"] if self.pipeline.paused else []), *said, *others])

    def counts(self) -> dict[str, int]:
        """Returns how many of each class the newest frames of all sources hold, the most frequent first."""
        counts: dict[str, int] = {}
        for result in self.results.values():
            for class_id in result.classes:
                counts[result.name(class_id)] = counts.get(result.name(class_id), 0) + 1
        return dict(sorted(counts.items(), key=lambda item: -item[1]))

    def page(self, said: str) -> dict:
        """Returns what the page shows."""
        stats, model, counts = self.stats, self.pipeline.model, self.counts()
        totals = sorted(stats.seen.items(), key=lambda item: -item[1])[:8]
        seen = [
            (model.names.get(class_id, str(class_id)), total, stats.objects.get(class_id)) for class_id, total in totals
        ]
        return {
            "runs_on": model.runs_on,
            "conf": model.conf,
            "paused": self.pipeline.paused,
            "gates": next(([gate.layer for gate in result.gates] for result in self.results.values()), []),
            "gate": self.gate,
            "snapshots": [{"name": file.name, "file": str(file)} for file in list(self.snapshots)[-SHOWN:]],
            "fps": round(stats.rate.fps, 1),
            "lag_ms": round(stats.recent_lag * 1000, 1),
            "lag_p95_ms": round(stats.lag.percentile(95) * 1000, 1),
            "frames": stats.frames,
            "seconds": round(time.monotonic() - self.began),
            "classes": [{"name": n, "now": counts.get(n, 0), "total": t, "objects": o} for n, t, o in seen],
            "sources": [
                {"name": s.label, "state": s.state, "error": s.error, "fps": round(stats.rates[s.index].fps, 1)}
                | {"frames": s.frames, "dropped": s.dropped, "reconnects": s.reconnects}
                for s in self.sources
            ],
            "zones": [
                {"source": self.sources[i].label, "name": zone.shape.name, "in": zone.entered, "out": zone.left}
                | {"inside": None if zone.shape.is_line else zone.inside}
                | {"stay_s": round(max(zone.stay.values(), default=0))}
                for i, result in sorted(self.results.items())
                for zone in result.zones
            ],
            "history": [[round(fps, 1), round(lag, 1)] for fps, lag in self.history],
            "every": STATUS_SECONDS,
            "said": said,
        }  # fmt: skip

    def summary(self) -> str:
        """Returns the closing lines."""
        stats, seconds = self.stats, time.monotonic() - self.began
        lag = ", ".join(f"p{p} {stats.lag.percentile(p) * 1000:.1f}" for p in (50, 95, 99))
        busy = self.pipeline.spent["infer"][1] / max(stats.last - stats.first, 1e-9) if stats.frames > 1 else 0.0
        lines = [f"{stats.frames} frames in {seconds:.1f} s, {stats.mean_fps:.1f} per second; lag {lag} ms; "
                 f"the network was at work {min(busy, 1):.0%} of the time"]  # fmt: skip
        for source in self.sources:
            line = f"{source.label}: {source.frames} frames read, {source.dropped} given up for newer ones"
            if source.live:
                line += f", opened again {source.reconnects} times"
            lines.append(line + (f"; {source.error}" if source.error else ""))
        return "\n".join(lines)
