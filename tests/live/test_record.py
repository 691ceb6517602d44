"""Recordings and lines: whole files, also on a full disk."""

import json
import os
import re
import resource
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.support.live_camera import picture
from tests.support.live_command import start
from tests.support.live_videos import frames_of
from yolo_attn import cli
from yolo_attn.live.mailbox import Mailbox
from yolo_attn.live.record import JsonLines, Recorder
from yolo_attn.live.results import Result, outline
from yolo_attn.live.sources import Files


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
    assert run.returncode == 1 and output.count("ERROR ❌️") == 2, output
    assert "the recording of noise.avi ended: No space left on device" in output and "150 frames in" in output
    assert output.splitlines()[-1].startswith(
        "ERROR ❌️ not all that was asked for is there: the recording of noise.avi"
    )
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
    environment = {**os.environ, "PYTHONPATH": str(Path(cli.__file__).parents[2])}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert "ended by" in done.stdout, done.stderr
    lines = (tmp_path / "lines.jsonl").read_text().splitlines()
    assert len(lines) > 3 and [json.loads(line)["frame"] for line in lines] == list(range(len(lines)))


def test_a_recording_begins_a_new_file_when_the_size_changes(tmp_path):
    recorder = Recorder(tmp_path)
    for size in ((120, 160), (120, 160), (96, 128)):
        image = picture(1, size)
        recorder.write(Result(image, "rtsp.local/door"), image, Files(0, "rtsp.local/door", [], True, 1))
    assert [path.name for path in tmp_path.glob("*.part.mp4")]  # not playable yet, and so not named so
    recorder.close()
    assert {path.name: len(frames_of(path)) for path in tmp_path.iterdir()} == {
        "rtsp.local-door.mp4": 2, "rtsp.local-door-2.mp4": 1
    }  # fmt: skip


def test_a_recording_that_fails_ends_that_of_its_source_alone(tmp_path):
    (tmp_path / "a.part.mp4").mkdir()  # in whose place no video can be written
    recorder, image = Recorder(tmp_path), picture(1, (120, 160))
    sources = [Files(index, name, [], True, 1) for index, name in enumerate("ab")]
    with pytest.raises(OSError):  # noqa: PT011
        recorder.write(Result(image, "a", 0), image, sources[0])
    for _ in range(3):
        for source in sources:
            recorder.write(Result(image, source.label, source.index), image, source)
    recorder.finish(1)
    assert len(frames_of(tmp_path / "b.mp4")) == 3
    recorder.close()


@pytest.fixture
def folder(tmp_path) -> Path:
    """A folder with two pictures, one of them in a format that nobody writes, and two films of one size."""
    folder = tmp_path / "mixed"
    folder.mkdir()
    for name in ("one.jpg", "two.png"):
        cv2.imwrite(str(folder / name), picture(1, (120, 160)))
    for name in ("x.avi", "y.avi"):
        writer = cv2.VideoWriter(str(folder / name), cv2.VideoWriter.fourcc(*"MJPG"), 10, (160, 120))
        for _ in range(10):
            writer.write(picture(1, (120, 160)))
        writer.release()
    return folder


def test_pictures_stay_pictures_and_each_film_has_a_file(folder, live_model, tmp_path):
    run = start(tmp_path, f"model={live_model}", "source=mixed", "save=True", "save_json=True")
    output, _ = run.communicate(timeout=60)
    assert run.returncode == 0, output
    made = tmp_path / "runs" / "live" / "exp"
    assert sorted(file.name for file in made.iterdir()) == ["detections.jsonl", "one.jpg", "two.png", "x.mp4", "y.mp4"]
    assert [len(frames_of(made / name)) for name in ("x.mp4", "y.mp4")] == [10, 10]
    lines = [json.loads(line) for line in (made / "detections.jsonl").read_text().splitlines()]
    assert [Path(line["file"]).name for line in lines] == ["one.jpg", "two.png"] + ["x.avi"] * 10 + ["y.avi"] * 10


def test_what_was_lost_of_a_file_is_said_and_is_exit_status_1(folder, live_model, tmp_path):
    whole = (folder / "x.avi").read_bytes()
    (folder / "x.avi").write_bytes(whole[: len(whole) // 2])
    (folder / "two.png").write_bytes(b"no picture")
    run = start(tmp_path, f"model={live_model}", "source=mixed,mixed/y.avi", "save_json=True")
    output, _ = run.communicate(timeout=60)
    assert run.returncode == 1
    said = output.splitlines()[-1]
    assert said.startswith("ERROR ❌️ not all that was asked for is there: mixed: 'mixed/two.png' cannot be read")
    assert "and 1 files more" in said and "y.avi" not in said


def test_a_damaged_film_says_how_much_of_it_was_read(folder):
    whole = (folder / "x.avi").read_bytes()
    (folder / "x.avi").write_bytes(whole[: len(whole) // 2])
    source = Files(0, "x.avi", [folder / "x.avi"], True, 1)
    source.start_into(mailbox := Mailbox([True]))
    while mailbox.poll(5) is not None:
        pass
    source.join()
    assert re.fullmatch(r"'.*x.avi' is damaged: [1-8] of 10 frames could be read", source.error), source.error


def test_an_outline_has_every_part_and_encloses_the_mask():
    mask = np.zeros((60, 80), bool)
    cv2.circle(drawn := mask.view(np.uint8), (20, 20), 12, 1, -1)
    drawn[40:50, 50:75] = drawn[5:9, 60:64] = 1
    filled = np.zeros((60, 80), np.uint8)
    cv2.fillPoly(filled, [outline(mask)], 1)
    assert (filled.astype(bool) ^ mask).sum() <= 80  # the lines that lead from part to part
    assert (filled.astype(bool) & mask).sum() == mask.sum()
    assert outline(np.zeros((4, 4), bool)).shape == (0, 2)


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
