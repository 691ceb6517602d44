"""`yolo_attn.live` on files, and on cameras that fail in the ways that cameras fail."""

import threading
import time
from pathlib import Path

import numpy as np
import pytest

import yolo_attn
from tests.support.live_camera import FakeCamera, number_of, wait_for
from tests.support.live_models import PICTURES
from tests.support.live_videos import video
from yolo_attn.live import open_pipeline
from yolo_attn.live.options import LiveOptions


class Watcher:
    """A running pipeline, with all that came out of it."""

    def __init__(self, model: Path, *urls: str, **options):
        defaults = {"device": "cpu", "threads": 1}
        self.pipeline = open_pipeline(LiveOptions(str(model), list(urls), **(defaults | options)))
        self.sources = self.pipeline.sources
        self.seen: list[tuple[int, int, tuple[int, int], float]] = []  # source, number, size, lag
        self._thread = threading.Thread(target=self._read, daemon=True)

    def _read(self):
        for result in self.pipeline.results():
            if result is not None:
                self.seen.append((result.index, number_of(result.frame), result.frame.shape[:2], result.lag))

    def numbers(self, index: int = 0) -> list[int]:
        return [number for source, number, _, _ in self.seen if source == index]

    def __enter__(self) -> "Watcher":
        self._thread.start()
        wait_for(lambda: {seen[0] for seen in self.seen} == set(range(len(self.sources))))
        return self

    def __exit__(self, *raised):
        self.pipeline.stop()
        self._thread.join(10)
        assert not self._thread.is_alive()


def test_a_file_is_read_whole_and_in_order(live_model, tmp_path):
    video(tmp_path / "clip.mp4", 20)
    results = list(yolo_attn.live(live_model, source=str(tmp_path / "clip.mp4"), threads=1))
    assert (
        [number_of(result.frame) for result in results] == [result.number for result in results] == list(range(1, 21))
    )
    every_third = list(yolo_attn.live(live_model, source=tmp_path / "clip.mp4", vid_stride=3))
    assert [result.number for result in every_third] == [3, 6, 9, 12, 15, 18]
    result = results[-1]
    assert result.source == "clip.mp4" and result.lag > 0 and abs(result.time - time.time()) < 60
    assert result.xyxy.dtype == result.confidence.dtype == np.float32 and result.class_id.dtype == np.int64


def test_results_are_supervisions(live_model):
    supervision = pytest.importorskip("supervision")
    (result,) = yolo_attn.live(live_model, source=str(PICTURES[0]), classes=None, max_det=5)
    found = supervision.Detections(
        xyxy=result.xyxy, confidence=result.confidence, class_id=result.class_id, mask=result.mask
    )
    assert 0 < len(found) <= 5
    chosen = int(result.class_id[0])
    (again,) = yolo_attn.live(live_model, source=str(PICTURES[0]), classes=[chosen])
    assert set(again.class_id) == {chosen}


def test_a_camera_fails_in_every_way_and_comes_back(live_model):
    with FakeCamera() as camera, Watcher(live_model, camera.url) as watcher:
        (source,) = watcher.sources

        def back() -> float:
            sent = camera.sent
            return wait_for(lambda: watcher.numbers()[-1] > sent)

        assert source.state == "running"
        camera.stalled = True
        wait_for(lambda: source.state in ("stalled", "reconnecting"), 5)
        wait_for(lambda: source.reconnects)
        camera.stalled = False
        back()
        camera.vanish()
        wait_for(lambda: source.state == "reconnecting" and source.error == "is not there: connection refused")
        camera.start()
        back()
        assert source.state == "running" and not source.error
        camera.broken, sent = True, camera.sent
        wait_for(lambda: camera.sent > sent + 10)
        camera.broken, last = False, camera.sent
        back()
        assert not {number for number in watcher.numbers() if sent + 1 < number < last}  # no half picture came through
        reconnects = source.reconnects
        camera.size = (360, 480)
        wait_for(lambda: watcher.seen[-1][2] == (360, 480))
        assert source.reconnects == reconnects


def test_the_newest_frame_wins_where_the_camera_is_too_fast(live_model):
    with FakeCamera(fps=400, size=(120, 160)) as camera, Watcher(live_model, camera.url) as watcher:
        wait_for(lambda: watcher.sources[0].dropped > 20 and len(watcher.seen) > 50)
        behind = camera.sent - watcher.numbers()[-1]
        numbers = watcher.numbers()
    assert numbers == sorted(numbers) and max(np.diff(numbers)) > 1
    assert behind < 400  # a queue would be behind by all that was dropped, and more with every second


def test_every_frame_is_kept_where_that_is_wished(live_model):
    with FakeCamera(fps=60, size=(120, 160)) as camera, Watcher(live_model, camera.url, stream_buffer=True) as watcher:
        wait_for(lambda: len(watcher.seen) > 60)
    numbers = watcher.numbers()
    assert set(np.diff(numbers)) == {1} and not watcher.sources[0].dropped


def test_a_dead_source_does_not_stop_the_others(live_model):
    with FakeCamera() as dying, FakeCamera() as healthy, Watcher(live_model, dying.url, healthy.url) as watcher:
        dying.vanish()
        wait_for(lambda: watcher.sources[0].state == "reconnecting")
        before = len(watcher.numbers(1))
        wait_for(lambda: len(watcher.numbers(1)) > before + 20)
        watcher.pipeline.paused = True
        time.sleep(0.3)
        paused = len(watcher.seen)
        time.sleep(0.3)
        assert len(watcher.seen) == paused
        watcher.pipeline.paused = False
        wait_for(lambda: len(watcher.seen) > paused + 2)
        assert watcher.seen[-1][3] < 0.3  # what it shows is new, not what had waited


def test_a_checkpoint_runs_through_ultralytics(tmp_path):
    from tests.support.live_models import lively

    lively("yolov5n.yaml").save(tmp_path / "best.pt")
    (result,) = yolo_attn.live(tmp_path / "best.pt", source=str(PICTURES[0]), imgsz=160)
    assert len(result) and result.xyxy.shape == (len(result), 4) and result.frame.shape[2] == 3
    pipeline = open_pipeline(LiveOptions(str(tmp_path / "best.pt"), str(PICTURES[0]), imgsz=160))
    pipeline.model.conf = least = float(np.median(result.confidence))
    (fewer,) = [found for found in pipeline.results() if found is not None]
    assert np.array_equal(fewer.confidence, result.confidence[result.confidence > least]) and len(fewer)
