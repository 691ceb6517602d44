"""What is a source, and of which kind."""

import pytest

from yolo_attn.errors import AttentionError
from yolo_attn.live.naming import camera_name
from yolo_attn.live.opening import open_sources


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
