"""`yolo-attn live`: how it ends, and what it says of what was typed wrong."""

import json
import os
import signal

import cv2
import pytest

from tests.support.live_camera import FakeCamera, wait_for
from tests.support.live_command import start
from tests.support.live_models import PICTURES
from tests.support.live_videos import frames_of
from yolo_attn import cli


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, "q"])
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
