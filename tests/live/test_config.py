"""`config=live.yaml` says what would have been typed; what is wrong in it is one line. A stuck stage; systemd."""

import os
import re
import shutil
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.support.live_camera import FakeCamera, wait_for
from tests.support.live_command import start
from tests.support.live_videos import video
from yolo_attn import cli
from yolo_attn.errors import AttentionError
from yolo_attn.live import open_pipeline, runner
from yolo_attn.live.options import LiveOptions, SourceOptions
from yolo_attn.live.sources import Camera

PAGE = Path(__file__).parents[2] / "docs" / "live.md"


def read(tmp_path, text: str, *words: str) -> LiveOptions:
    file = tmp_path / "live.yaml"
    file.write_text(text)
    return cli.read(["live", f"config={file}", *words])[1]


def test_a_file_says_what_would_be_typed(tmp_path):
    options = read(
        tmp_path,
        """
model: best.onnx
classes: [0, 2]
conf: 0.1
save: true
token: 0123
on:                         # no truth value
  - person>0 for 3s do=snapshot
  - any>2 do=clip
sources:
  - rtsp://10.0.0.7/live
  - source: rtsp://10.0.0.8/live
    name: door
    timeout: 20
    vid_stride: 3
    stream_buffer: true
  - 0
timeout: 4
""",
        "conf=0.3",
    )
    assert (options.model, options.classes, options.save, options.token) == ("best.onnx", [0, 2], True, "0123")
    assert options.conf == 0.3  # what is typed prevails
    assert options.on == "person>0 for 3s do=snapshot; any>2 do=clip"
    assert options.source[1] == SourceOptions("rtsp://10.0.0.8/live", "door", 3, True, 20.0)
    from yolo_attn.live.opening import open_sources

    one, door, webcam = open_sources(options.source, None, 1, options.timeout)
    assert isinstance(one, Camera) and isinstance(webcam, Camera) and webcam.where == 0
    assert (door.label, door.stride, door.keeps_all, door._pace.limit) == ("door", 3, True, 20)
    assert (one.stride, one.keeps_all, one._pace.limit) == (1, False, 4)
    assert read(tmp_path, "source: 0\nmodel: a.onnx", "b.onnx").model == "b.onnx"
    assert read(tmp_path, "model: a.onnx\nsources: [1]", "source=2").source == "2"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("model: [", ", line 1 is no YAML"),
        ("", "must be keys with values"),
        ("- model", "must be keys with values"),
        ("model: a.onnx\nconf: 2", ", line 2, conf: conf must be a number from 0 to 1, got '2'"),
        ("model: a.onnx\nsave: yes", ", line 2, save: save must be True or False, got 'yes'"),
        ("model: a.onnx\nmodel: b.onnx", ", line 2, model: it must be one word, once"),
        ("model: a.onnx\ntimeuot: 2", ", line 2, timeuot: there is no such key, did you mean 'timeout'?"),
        ("config: b.yaml", ", line 1, config: there is no such key"),
        ("model: a.onnx\nproject:", ", line 2, project: it has no value"),
        ("model: a.onnx\nname: {a: 1}", ", line 2, name: it must be text"),
        ("sources: 0", ", line 1, sources: it must be a list"),
        ("sources:\n  - name: door", ", line 2, sources, 1: it needs source:"),
        ("sources:\n  - 0\n  - source: 1\n    timeout: x", ", line 4, sources, 2: timeout: timeout must be"),
        ("sources:\n  - source: 1\n    conf: 0.5", ", line 3, sources, 1: conf: there is no such key"),
        ("source: 0\nsources: [1]", "both source and sources"),
        ("[" * 5000, "is no YAML"),
    ],
)
def test_what_is_wrong_in_a_file_is_one_line(text, said, tmp_path, capsys):
    file = tmp_path / "live.yaml"
    file.write_text(text)
    assert cli.main(["live", f"config={file}"]) == 1
    error = capsys.readouterr().err
    assert said in error and f"config={file}" in error and error.count("\n") == 1


def test_without_a_file_or_pyyaml_one_line_says_so(tmp_path, capsys, monkeypatch):
    assert cli.main(["live", "config=nothing.yaml"]) == 1
    assert "config=nothing.yaml cannot be read" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "yaml", None)
    assert cli.main(["live", "config=nothing.yaml"]) == 1
    assert "pip install pyyaml" in capsys.readouterr().err


def test_a_stuck_stage_ends_the_run(live_model, tmp_path):
    """The network never comes back from its third frame; what was recorded until then can be played."""
    clip = video(tmp_path / "clip.mp4", 30)
    pipeline = open_pipeline(LiveOptions(str(live_model), str(clip), threads=1))
    infer, count, never = pipeline.model.infer, iter(range(30)), threading.Event()

    def stuck(work):
        if next(count) == 2:
            never.wait()
        infer(work)

    pipeline.model.infer = stuck
    run = runner.Runner(pipeline, runner.Outputs(tmp_path / "run", save=True, watchdog=1.0))
    with pytest.raises(AttentionError, match="the stage 'infer' has been at one frame for 1 s"):
        run.run()
    assert (tmp_path / "run" / "clip.mp4").is_file()
    never.set()


def test_a_service_manager_is_told(live_model, tmp_path, monkeypatch):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager, FakeCamera() as camera:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(30)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        (tmp_path / "live.yaml").write_text(
            f"model: {live_model}\nsources:\n  - {{source: {camera.url}, name: door}}\n"
        )
        run = start(tmp_path, "config=live.yaml")
        assert [manager.recv(99), manager.recv(99), manager.recv(99)] == [b"READY=1", b"WATCHDOG=1", b"WATCHDOG=1"]
        run.terminate()
        wait_for(lambda: manager.recv(99) == b"STOPPING=1")
        output, _ = run.communicate(timeout=20)
    assert run.returncode == 0 and "door" in output, output


def block(name: str) -> str:
    """Returns the code block of the page on live that begins with the comment `# name`."""
    found = re.search(rf"^    # {re.escape(name)}.*\n((?:    .*\n|\n(?=    ))*)", PAGE.read_text(), re.MULTILINE)
    assert found
    return re.sub("^    ", "", found[1], flags=re.MULTILINE)


def test_the_pages_unit_is_one_for_systemd(tmp_path):
    program = shutil.which("systemd-analyze")
    if not program:
        pytest.skip("needs systemd")
    unit = tmp_path / "yolo-attn-live.service"
    unit.write_text(
        block("/etc/systemd/system/yolo-attn-live.service").replace("/opt/yolo-attn/bin/yolo-attn", "/bin/true")
    )
    done = subprocess.run([program, "verify", "--man=no", unit], capture_output=True, text=True, env={**os.environ})
    assert done.returncode == 0 and not done.stderr, done.stderr
    assert "/bin/true" in unit.read_text() and "WatchdogSec" in unit.read_text()


def test_the_pages_file_is_read(tmp_path):
    options = read(tmp_path, block("live.yaml"))
    assert options.on and options.track and options.source[0].name and options.source[0].timeout
