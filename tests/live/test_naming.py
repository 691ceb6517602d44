"""Each source has a name by itself, and no name, message or log holds a credential."""

import json

import cv2
import numpy as np
import pytest

from yolo_attn.errors import AttentionError
from yolo_attn.live.naming import camera_name, given_name, is_pipeline, redacted
from yolo_attn.live.opening import open_sources
from yolo_attn.live.record import JsonLines, Recorder, file_name
from yolo_attn.live.results import Result
from yolo_attn.live.sources import Files

SECRET = "pa!ss#w@rd"
URLS = [
    f"rtsp://user:{SECRET}@camera.local:554/live?channel=1",
    f"rtsp://user:{SECRET}@camera.local:99999999/live",
    f"http://user:{SECRET}@[::1/stream.mjpg",
    f"https://camera.local/live?token={SECRET}&channel=2",
]


def names(*sources: str) -> list[str]:
    return [source.label for source in open_sources(list(sources), None, 1)]


@pytest.fixture
def clips(tmp_path, monkeypatch):
    """Two films of one name in two folders."""
    monkeypatch.chdir(tmp_path)
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        writer = cv2.VideoWriter(f"{folder}/clip.mp4", cv2.VideoWriter.fourcc(*"mp4v"), 5, (32, 32))
        writer.write(np.zeros((32, 32, 3), np.uint8))
        writer.release()
    return "a/clip.mp4", "b/clip.mp4"


def test_files_of_one_name_are_told_apart_by_their_folders(clips):
    assert names(*clips) == ["a/clip.mp4", "b/clip.mp4"]
    assert names(clips[0]) == ["clip.mp4"]
    assert names(clips[0], clips[0]) == ["clip.mp4", "clip.mp4 (2)"]


def test_cameras_of_one_address_are_told_apart():
    one, two = "rtsp://camera.local/live?channel=1", "rtsp://camera.local/live?channel=2"
    assert names(one, two) == ["camera.local/live", "camera.local/live (2)"]
    assert names("http://camera/a?x", "http://camera/b") == ["camera/a", "camera/b"]


def test_a_source_may_be_given_a_name(clips):
    assert names("door@rtsp://user:secret@camera/live", "1", f"hall@{clips[0]}") == ["door", "camera 1", "hall"]
    assert given_name("user@nowhere") == ("", "user@nowhere")


@pytest.mark.parametrize("url", URLS)
def test_no_name_and_no_message_holds_a_credential(url):
    assert not is_pipeline(url)
    for text in (camera_name(url), redacted(f"cannot open {url}: refused"), file_name(camera_name(url))):
        assert "user:" not in text and not any(part in text for part in ("pa!ss", "w@rd", SECRET))
    assert names(url)[0] == camera_name(url)


def test_a_refused_pipeline_is_printed_without_its_password():
    pipeline = f"rtspsrc location=rtsp://user:{SECRET}@camera/live user-pw={SECRET} ! decodebin ! appsink"
    assert is_pipeline(pipeline)
    if "GStreamer:                   NO" in cv2.getBuildInformation():
        with pytest.raises(AttentionError, match="GStreamer") as refused:
            open_sources([pipeline], None, 1)
        assert "w@rd" not in str(refused.value)
    assert "pa" not in redacted(pipeline).replace("appsink", "")


def test_a_source_that_is_nothing_is_refused_without_its_password(tmp_path):
    with pytest.raises(AttentionError, match="is no camera number") as refused:
        open_sources([f"camera?password={SECRET.replace('!', '')}"], None, 1)
    assert "pass#" not in str(refused.value) and "w@rd" not in str(refused.value)


def test_names_that_are_alike_as_files_have_videos_of_their_own(tmp_path):
    recorder, image = Recorder(tmp_path), np.zeros((32, 32, 3), np.uint8)
    for index, source in enumerate(["a/clip.mp4", "a-clip.mp4", "a clip.mp4"]):
        recorder.write(result(index, source), image, Files(index, source, [], True, 1))
    recorder.close()
    assert sorted(f.name for f in tmp_path.glob("*.mp4")) == ["a-clip-2.mp4", "a-clip-3.mp4", "a-clip.mp4"]


def test_a_json_line_has_the_sources_index(tmp_path):
    lines = JsonLines(tmp_path / "out.jsonl")
    for index in (0, 1):
        lines.write(result(index, "camera.local/live"))
    lines.close()
    read = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [(line["index"], line["source"]) for line in read] == [(0, "camera.local/live"), (1, "camera.local/live")]


def result(index: int, source: str) -> Result:
    return Result(np.zeros((32, 32, 3), np.uint8), source, index)
