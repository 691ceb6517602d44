"""`/health` and `/metrics`, as whoever watches over many devices asks for them."""

import json
import re
import signal
import threading
import time

import pytest

from tests.live.test_page import ask
from tests.support.live_camera import FakeCamera, wait_for
from tests.support.live_command import start
from yolo_attn.live import health, open_pipeline
from yolo_attn.live.options import LiveOptions
from yolo_attn.live.runner import Outputs, Runner
from yolo_attn.live.serve import Page

parser = pytest.importorskip("prometheus_client.parser")
TOKEN = "geheim ü"
BEARER = f"Bearer {TOKEN}".encode()


def numbers(port: int) -> dict[tuple, float]:
    """Returns what `/metrics` says: a number for each name and its labels."""
    status, headers, body = ask(port, "/metrics", Authorization=BEARER)
    assert status == 200 and headers["content-type"].startswith("text/plain; version=0.0.4")
    families = parser.text_string_to_metric_families(body.decode())
    return {(one.name, *sorted(one.labels.items())): one.value for family in families for one in family.samples}


def test_a_run_is_well_while_every_camera_delivers(live_model, tmp_path):
    with FakeCamera() as camera, FakeCamera() as other:
        run = start(
            tmp_path, f"model={live_model}", f"source=door@{camera.url},yard@{other.url}", "threads=1",
            "serve=0", f"token={TOKEN}",
        )  # fmt: skip
        assert run.stdout is not None
        while not (line := run.stdout.readline()).startswith("Page:"):
            assert line
        match = re.search(r":(\d+)/", line)
        assert match
        port = int(match[1])

        def is_well() -> bool:
            return ask(port, "/health", Authorization=BEARER)[0] == 200

        wait_for(is_well)
        assert ask(port, "/health")[0] == ask(port, "/metrics")[0] == 401
        assert ask(port, "/health", Authorization="Bearer wrong")[0] == 401
        assert ask(port, "/health", Authorization=f"Basic {TOKEN}".encode())[0] == 401
        assert ask(port, "/health")[1]["www-authenticate"] == "Bearer"
        camera.vanish()
        wait_for(lambda: not is_well())
        status, _, body = ask(port, "/health", Authorization=BEARER)
        said = json.loads(body)
        assert status == 503 and [line[:5] for line in said["wrong"]] == ["door:"]
        assert [(s["index"], s["name"], s["state"] == "running") for s in said["sources"]] == [
            (0, "door", False), (1, "yard", True)
        ]  # fmt: skip
        camera.start()
        wait_for(is_well)
        first = numbers(port)
        door, yard = (("index", str(i)) for i in (0, 1))
        of_yard = (yard, ("source", "yard"))
        wait_for(
            lambda: numbers(port)[("yolo_attn_frames_total", *of_yard)] > first[("yolo_attn_frames_total", *of_yard)]
        )
        said = numbers(port)
        run.send_signal(signal.SIGTERM)
        output, _ = run.communicate(timeout=20)
    assert run.returncode == 0, output
    assert said["yolo_attn_reconnects_total", door, ("source", "door")] >= 1
    assert said[("yolo_attn_reconnects_total", *of_yard)] == 0
    assert said[("yolo_attn_source_up", *of_yard)] == 1 and said["yolo_attn_lost",] == 0
    read, put, dropped = (said[(f"yolo_attn_{n}_total", *of_yard)] for n in ("frames_read", "frames", "frames_dropped"))
    assert put > 0 and 0 <= read - put - dropped < 8  # those on their way
    assert sum(v for k, v in said.items() if k[0] == "yolo_attn_detections_total" and ("source", "yard") in k) > 0
    stages = {k[1][1]: v for k, v in said.items() if k[0] == "yolo_attn_stage_seconds_count"}
    assert set(stages) == {"prepare", "infer", "decode"} and stages["prepare"] >= stages["infer"] >= stages["decode"]
    lags = [v for k, v in said.items() if k[0] == "yolo_attn_lag_seconds_bucket"]
    assert (
        lags == sorted(lags)
        and lags[-1] == said["yolo_attn_lag_seconds_count",]
        and said["yolo_attn_lag_seconds_sum",] > 0
    )
    assert said["process_resident_memory_bytes",] > 1e7


def test_a_stage_that_hangs_is_not_well(live_model, tmp_path, monkeypatch):
    monkeypatch.setattr(health, "STUCK_SECONDS", 0.9)
    page = Page("0", "", 1)
    try:
        status, _, body = ask(page.port, "/health")
        assert status == 503 and json.loads(body)["wrong"] == ["the run has not begun"]
        assert ask(page.port, "/metrics")[0] == 503
        with FakeCamera() as camera:
            pipeline = open_pipeline(LiveOptions(str(live_model), camera.url, threads=1))
            infer, never = pipeline.model.infer, threading.Event()
            pipeline.model.infer = lambda work: never.wait() and infer(work)  # as a driver that does not come back
            run = Runner(pipeline, Outputs(tmp_path, page=page))
            time.sleep(1)
            assert any("writing" in line for line in json.loads(ask(page.port, "/health")[2])["wrong"])
            threading.Thread(target=run.run, daemon=True).start()

            def wrong() -> list[str]:
                return json.loads(ask(page.port, "/health")[2])["wrong"]

            wait_for(lambda: ["the stage 'infer' has been" in line for line in wrong()] == [True])
            assert ask(page.port, "/health")[0] == 503
            never.set()
            wait_for(lambda: not wrong())
            run.command("quit")
    finally:
        page.close()
