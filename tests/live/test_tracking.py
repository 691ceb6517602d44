"""`track=...`: the numbers are the library's own, source by source, wherever results are shown and written."""

import json
import sys

import numpy as np
import pytest

import yolo_attn
from tests.support.live_camera import FakeCamera, wait_for
from tests.support.live_command import start
from tests.support.live_models import PICTURES
from tests.support.live_videos import video
from yolo_attn import cli
from yolo_attn.errors import AttentionError
from yolo_attn.live.results import Result
from yolo_attn.live.sources import Files
from yolo_attn.live.stats import Stats
from yolo_attn.live.tracking import CLASSES, SURE, Tracking

trackers = pytest.importorskip("trackers")
supervision = pytest.importorskip("supervision")


def pan(file, frames: int, step: int):
    """Writes a video in which a real picture moves `step` pixels a frame to the left."""
    import cv2

    image = cv2.resize(cv2.imread(str(PICTURES[0])), (480, 320))
    writer = cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*"mp4v"), 30, (320, 240))
    for number in range(frames):
        x = number * step
        writer.write(image[40:280, x : x + 320].copy())
    writer.release()
    return file


@pytest.mark.parametrize("name", CLASSES)
def test_ids_are_those_of_the_library_in_each_of_two_sources(name, live_model, tmp_path):
    films = [pan(tmp_path / "one.mp4", 12, 3), pan(tmp_path / "two.mp4", 12, 7)]
    results = list(yolo_attn.live(live_model, source=films, conf=0.1, track=name, threads=1))
    for index in range(2):
        thresholds = {"high_conf_det_threshold": SURE}
        if name != "ocsort":
            thresholds["track_activation_threshold"] = SURE
        tracker, seen = getattr(trackers, CLASSES[name])(frame_rate=30.0, **thresholds), set()
        for result in (result for result in results if result.index == index):
            found = supervision.Detections(
                xyxy=result.xyxy, confidence=result.confidence, data={"place": np.arange(len(result))}
            )
            tracked = tracker.update(found, **({"frame": result.frame} if name == "botsort" else {}))
            alone = np.full(len(result), -1)
            alone[tracked.data["place"]] = tracked.tracker_id
            assert result.track_id.tolist() == alone.tolist()
            seen |= set(alone.tolist())
        assert len(seen) > 3


def test_two_films_of_a_folder_share_no_number_and_its_pictures_are_one_sequence():
    source = Files(0, "folder", ["a.mp4", "b.mp4"], True, 1)
    numbers = []
    tracking = Tracking("bytetrack", [source])
    for file in ("a.mp4", "a.mp4", "a.mp4", "b.mp4", "b.mp4", "1.jpg", "2.jpg"):
        result = box(file)
        tracking(result)
        numbers += result.track_id.tolist()
    assert numbers[:3] == [-1, 0, 0] and numbers[3:] == [-1, 1, 1, 1]


def box(file: str) -> Result:
    frame = np.zeros((100, 100, 3), np.uint8)
    where = np.array([[10, 10, 60, 60]], np.float32)
    return Result(frame, file=file, xyxy=where, confidence=np.array([0.5], np.float32), class_id=np.zeros(1, np.int64))


def test_objects_are_counted_once_each():
    stats, result = Stats(1), box("")
    for numbers in ([-1], [0], [0], [2], [2]):
        result.track_id = np.array(numbers)
        stats.add(result, 1.0)
    assert stats.objects == {0: 2} and stats.seen == {0: 5}


def test_a_camera_of_another_size_is_tracked_on(live_model, tmp_path):
    with FakeCamera() as camera:
        words = (f"model={live_model}", f"source={camera.url}", "save_json=True", "track=botsort", "threads=1")
        run = start(tmp_path, *words)
        lines = tmp_path / "runs" / "live" / "exp" / "detections.jsonl"
        wait_for(lambda: lines.exists() and lines.read_text().count("\n") > 10, 30)
        camera.size, before = (360, 480), lines.read_text().count("\n")
        wait_for(lambda: lines.read_text().count("\n") > before + 20)
        run.terminate()
        output, _ = run.communicate(timeout=20)
    assert run.returncode == 0, output
    found = [one for line in lines.read_text().splitlines() for one in json.loads(line)["detections"]]
    assert any("track_id" in one for one in found)


def test_what_cannot_be_tracked_is_one_line(live_model, tmp_path, monkeypatch, capsys):
    clip = video(tmp_path / "clip.mp4", 3)
    assert cli.main(["live", f"model={live_model}", f"source={clip}", "track=deepsort"]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "write track=bytetrack, botsort, ocsort" in said
    probabilities = Result(np.zeros((8, 8, 3), np.uint8), probs=np.ones(3, np.float32))
    with pytest.raises(AttentionError, match="classifies has none"):
        Tracking("ocsort", [Files(0, "clip.mp4", [clip], True, 1)])(probabilities)
    monkeypatch.setitem(sys.modules, "trackers", None)
    assert cli.main(["live", f"model={live_model}", f"source={clip}", "track=ocsort"]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "yolo_attn[track]" in said
