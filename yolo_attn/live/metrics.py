"""`/metrics`: the run's numbers, and the process's memory and files, in Prometheus' text format."""

from collections.abc import Iterator

from yolo_attn.live.status import Status

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
EDGES = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)  # of the lag's histogram, in seconds
OF_SOURCES = {
    "frames_read": "frames that a source sent",
    "frames": "frames of which the result was put out",
    "frames_dropped": "frames that gave way to newer ones",
    "reconnects": "times that a source was opened again",
}


def of(status: Status) -> bytes:
    """Returns the numbers of a run.

    Raises:
        ImportError: Without the package `prometheus_client`.
    """
    from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest

    registry = CollectorRegistry(auto_describe=False)
    ProcessCollector(registry=registry)
    registry.register(Numbers(status))
    return generate_latest(registry)


class Numbers:
    """Reads a run's numbers as a collector of `prometheus_client` does."""

    def __init__(self, status: Status):
        self._status = status

    def collect(self) -> Iterator:
        from prometheus_client.core import (
            CounterMetricFamily,
            GaugeMetricFamily,
            HistogramMetricFamily,
            SummaryMetricFamily,
        )

        status, names, labels = self._status, self._status.pipeline.model.names, ["source", "index"]
        counters = {
            name: CounterMetricFamily(f"yolo_attn_{name}", told, labels=labels) for name, told in OF_SOURCES.items()
        }
        found = CounterMetricFamily("yolo_attn_detections", "detections", labels=[*labels, "class"])
        up = GaugeMetricFamily("yolo_attn_source_up", "1 while a source delivers", labels=labels)
        for source, frames, seen in zip(status.sources, status.stats.of, status.stats.seen_by, strict=True):
            who = [source.label, str(source.index)]
            values = (source.frames, frames, source.dropped, source.reconnects)
            for counter, value in zip(counters.values(), values, strict=True):
                counter.add_metric(who, value)
            up.add_metric(who, source.state == "running")
            for class_id, count in dict(seen).items():
                found.add_metric([*who, names.get(class_id, str(class_id))], count)
        stages = SummaryMetricFamily("yolo_attn_stage_seconds", "seconds of a stage at a frame", labels=["stage"])
        for stage, (frames, seconds) in status.pipeline.spent.items():
            stages.add_metric([stage], frames, seconds)
        lag = HistogramMetricFamily("yolo_attn_lag_seconds", "seconds from a frame's arrival to its result")
        counts = [(str(edge), status.stats.lag.at_most(edge)) for edge in EDGES]
        lag.add_metric([], [*counts, ("+Inf", status.stats.lag.total)], status.stats.lag.seconds)
        paused = GaugeMetricFamily("yolo_attn_paused", "1 while the run is paused", status.pipeline.paused)
        lost = GaugeMetricFamily("yolo_attn_lost", "outputs that were asked for and are lost", len(status.lost))
        yield from (*counters.values(), found, up, stages, lag, paused, lost)
