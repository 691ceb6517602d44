"""`yolo-attn live` against cameras that fail, full disks, and people who stop it in every way."""

import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

import yolo_attn
from tests.support.live_camera import FakeCamera, number_of, picture, wait_for
from tests.support.live_models import PICTURES
from yolo_attn import cli
from yolo_attn.errors import AttentionError
from yolo_attn.live import open_pipeline
from yolo_attn.live.letterbox import letterbox
from yolo_attn.live.mailbox import Mailbox
from yolo_attn.live.options import LiveOptions
from yolo_attn.live.record import JsonLines, Recorder
from yolo_attn.live.results import Result
from yolo_attn.live.sources import camera_name, open_sources
from yolo_attn.live.stats import Lag, Rate


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


def video(file: Path, frames: int, size: tuple[int, int] = (120, 160)) -> Path:
    """Writes a video whose frames carry their numbers, from 1."""
    writer = cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*"mp4v"), 30, size[::-1])
    for number in range(1, frames + 1):
        writer.write(picture(number, size))
    writer.release()
    return file


def frames_of(file: Path) -> list[np.ndarray]:
    capture, frames = cv2.VideoCapture(str(file)), []
    while (read := capture.read())[0]:
        frames.append(read[1])
    return frames


def start(folder: Path, *arguments, **options) -> subprocess.Popen:
    """Starts `yolo-attn live` in `folder`."""
    command = [sys.executable, "-m", "yolo_attn.cli", "live", *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(Path(cli.__file__).parent.parent), "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options
    )


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
        wait_for(lambda: source.state == "reconnecting" and source.error == "cannot be opened")
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


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, "q"])
def test_it_ends_in_good_order(how, live_model, tmp_path):
    """Every file is closed and can be played; the exit status is 0 and the summary is printed."""
    terminal, keyboard = os.openpty()
    with FakeCamera() as camera:
        run = start(
            tmp_path, f"model={live_model}", f"source={camera.url}", "save=True", "save_json=True", stdin=keyboard
        )
        lines = tmp_path / "runs" / "live" / "exp" / "detections.jsonl"
        wait_for(lambda: lines.exists() and lines.read_text().count("\n") > 20)
        if how == "q":
            os.write(terminal, b"s")
            wait_for(lambda: list(lines.parent.glob("*.jpg")))
            os.write(terminal, b"q")
        else:
            run.send_signal(how)
        output, _ = run.communicate(timeout=20)
    os.close(terminal)
    os.close(keyboard)
    assert run.returncode == 0, output
    assert "lag p50" in output and "Traceback" not in output
    said = [json.loads(line) for line in lines.read_text().splitlines()]
    assert all(line["time"] > 0 and line["source"] and line["lag_ms"] > 0 for line in said)
    assert said[0]["frame"] >= 1 and any(line["detections"] for line in said)
    (recording,) = lines.parent.glob("*.mp4")
    duration = len(frames_of(recording)) / cv2.VideoCapture(str(recording)).get(cv2.CAP_PROP_FPS)
    assert abs(duration - (said[-1]["time"] - said[0]["time"])) < 0.5  # it plays in real time


def test_a_full_disk_ends_the_recording_alone(live_model, tmp_path):
    """A limit on the size of files stands for the disk: the kernel refuses the write in the same way."""
    rng = np.random.default_rng(0)
    noise = cv2.VideoWriter(str(tmp_path / "noise.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 30, (640, 480))
    for _ in range(150):
        noise.write(rng.integers(0, 255, (480, 640, 3), np.uint8))
    noise.release()

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (10 << 20, 10 << 20))

    run = start(tmp_path, f"model={live_model}", "source=noise.avi", "save=True", preexec_fn=limit)
    output, _ = run.communicate(timeout=60)
    assert run.returncode == 0 and output.count("ERROR ❌️") == 1, output
    assert "recording ended: No space left on device" in output and "150 frames in" in output
    (recording,) = (tmp_path / "runs" / "live" / "exp").glob("*")
    assert 0 < len(frames_of(recording)) < 150


def test_a_line_is_written_whole_or_not_at_all(tmp_path):
    code = """
import resource, sys
from pathlib import Path
import numpy as np
from yolo_attn.live.record import JsonLines
from yolo_attn.live.results import Result
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
lines = JsonLines(Path("lines.jsonl"))
try:
    for number in range(1000):
        lines.write(Result(np.zeros((1, 1, 3), np.uint8), "camera 0", number=number))
except OSError as error:
    print("ended by", error.strerror)
"""
    environment = {**os.environ, "PYTHONPATH": str(Path(cli.__file__).parent.parent)}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert "ended by" in done.stdout, done.stderr
    lines = (tmp_path / "lines.jsonl").read_text().splitlines()
    assert len(lines) > 3 and [json.loads(line)["frame"] for line in lines] == list(range(len(lines)))


def test_a_recording_begins_a_new_file_when_the_size_changes(tmp_path):
    recorder = Recorder(tmp_path)
    for size in ((120, 160), (120, 160), (96, 128)):
        image = picture(1, size)
        recorder.write(Result(image, "rtsp.local/door"), image, 30, live=False)
    assert [path.name for path in tmp_path.glob("*.part.mp4")]  # not playable yet, and so not named so
    recorder.close()
    assert {path.name: len(frames_of(path)) for path in tmp_path.iterdir()} == {
        "rtsp.local-door.mp4": 2, "rtsp.local-door-2.mp4": 1
    }  # fmt: skip


def test_what_a_command_may_say(live_model, tmp_path, capsys):
    def error(*arguments: str) -> str:
        assert cli.main(["live", *arguments]) == 1
        said = capsys.readouterr().err
        assert said.count("\n") == 1
        return said

    model = f"model={live_model}"
    assert "yolo export" in error("model=nothing.onnx")
    assert "neither" in error(model, f"source={__file__}")
    assert "no camera number" in error(model, "source=nothing.mp4")
    assert "no GStreamer" in error(model, "source=videotestsrc ! appsink")
    assert "imgsz out" in error(model, "imgsz=320")
    assert "conf must be" in error(model, "conf=1.5")
    assert "show must be" in error(model, "show=perhaps")
    assert "device=cpu works" in error(model, "device=7", f"source={PICTURES[0]}")
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"nothing")
    assert "cannot load" in error(f"model={broken}", f"source={PICTURES[0]}")
    damaged = tmp_path / "damaged.mp4"
    damaged.write_bytes(b"nothing")
    assert "cannot be read: is it a whole" in error(model, f"source={damaged}", f"project={tmp_path / 'runs'}")
    engine = tmp_path / "best.engine"
    engine.write_bytes(b"nothing")
    assert "needs TensorRT" in error(f"model={engine}", f"source={PICTURES[0]}")
    assert not (tmp_path / "runs").exists()


def test_a_checkpoint_runs_through_ultralytics(tmp_path):
    from tests.support.live_models import lively

    lively("yolov5n.yaml").save(tmp_path / "best.pt")
    (result,) = yolo_attn.live(tmp_path / "best.pt", source=str(PICTURES[0]), imgsz=160)
    assert len(result) and result.xyxy.shape == (len(result), 4) and result.frame.shape[2] == 3


def test_sources_are_told_apart(tmp_path):
    for name in ("b.jpg", "a.mp4", "notes.txt"):
        (tmp_path / name).touch()
    (folder,) = open_sources(str(tmp_path), None, 1)
    assert [path.name for path in folder.paths] == ["a.mp4", "b.jpg"] and folder.keeps_all
    streams = tmp_path / "all.streams"
    streams.write_text("rtsp://user:secret@10.0.0.7:554/live?key=1\n1\n")
    camera, webcam = open_sources(str(streams), None, 1)
    assert (camera.label, webcam.label) == ("10.0.0.7:554/live", "camera 1") and camera.live and not camera.keeps_all
    assert [source.live for source in open_sources(f"0,{tmp_path / 'a.mp4'}", None, 1)] == [True, False]
    (one,) = open_sources("http://camera/stream?size=640,480", True, 1)
    assert one.keeps_all and one.label == "camera/stream"
    assert camera_name("v4l2src ! appsink") == "GStreamer"
    with pytest.raises(AttentionError, match="no source"):
        open_sources([], None, 1)


def test_mailbox_keeps_or_displaces():
    box: Mailbox[int] = Mailbox([False, True])
    assert box.put(0, 1) is None and box.put(0, 2) == 1 and box.put(1, 10) is None and box.put(1, 11) is None
    waiting = threading.Thread(target=box.put, args=(1, 12), daemon=True)
    waiting.start()
    assert [box.take() for _ in range(4)] == [2, 10, 11, 12]
    assert box.poll(0.01) is None and not box.done
    box.put(0, 3)
    box.finish()
    assert box.take() == 3 and box.take() is None and box.done and box.put(0, 4) == 4


def test_letterbox_is_ultralytics():
    from ultralytics.data.augment import LetterBox

    for shape in ((1080, 810), (720, 1280), (333, 77), (10, 2000)):
        for rectangle in (False, True):
            image = np.zeros((*shape, 3), np.uint8)
            padded = LetterBox((320, 320), auto=rectangle, stride=32)(image=image)
            where = letterbox(shape, (320, 320), 32, rectangle)
            assert where.input == padded.shape[:2]
            inside = np.argwhere(padded[..., 0] == 0)
            assert (where.top, where.left) == tuple(inside.min(0))
            assert where.content == tuple(inside.max(0) - inside.min(0) + 1)


def test_rate_and_lag():
    rate, now = Rate(), time.monotonic()
    for i in range(100):
        rate.add(now - 3 + i * 0.03)
    assert abs(rate.fps - 1 / 0.03) < 0.01
    assert Rate().fps == 0
    lag, times = Lag(), np.random.default_rng(0).gamma(2, 0.02, 5000)
    for seconds in times:
        lag.add(seconds)
    for percent in (50, 95, 99):
        assert abs(lag.percentile(percent) / np.percentile(times, percent) - 1) < 0.02


def test_lines_say_the_outline_of_masks_and_the_corners_of_turned_boxes(tmp_path):
    frame, one = np.zeros((40, 60, 3), np.uint8), np.array([[10, 10, 30, 20]], np.float32)
    common = {"xyxy": one, "confidence": np.array([0.5], np.float32), "class_id": np.array([3])}
    mask = np.zeros((1, 40, 60), bool)
    mask[0, 10:20, 10:30] = True
    lines = JsonLines(tmp_path / "lines.jsonl")
    lines.write(Result(frame, names={3: "cat"}, mask=mask, keypoints=np.ones((1, 2, 3), np.float32), **common))
    lines.write(Result(frame, xywhr=np.array([[20, 15, 20, 10, np.pi / 2]], np.float32), **common))
    lines.close()
    first, second = (json.loads(line)["detections"][0] for line in (tmp_path / "lines.jsonl").read_text().splitlines())
    assert first["name"] == "cat" and first["box"] == {"x1": 10, "y1": 10, "x2": 30, "y2": 20}
    assert set(zip(first["segments"]["x"], first["segments"]["y"], strict=True)) == {
        (10, 10),
        (10, 19),
        (29, 19),
        (29, 10),
    }
    assert first["keypoints"] == {"x": [1, 1], "y": [1, 1], "visible": [1, 1]}
    assert second["name"] == "3" and second["box"]["x1"] == 15 and second["box"]["y1"] == 25
