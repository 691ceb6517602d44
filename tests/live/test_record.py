"""Recordings and lines: whole files, also on a full disk."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np

from tests.support.live_camera import picture
from tests.support.live_command import start
from tests.support.live_videos import frames_of
from yolo_attn import cli
from yolo_attn.live.record import JsonLines, Recorder
from yolo_attn.live.results import Result


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
