"""Windows on a screen that is there, that is dead, and that somebody closes."""

import os
import shutil
import subprocess
import sys

import pytest

from tests.support.live_command import start
from tests.support.live_videos import video
from yolo_attn.live.windows import can_show

xvfb = pytest.mark.skipif(not shutil.which("Xvfb"), reason="needs Debian's xvfb")


def run_on(display: str, folder, *words: str) -> subprocess.Popen:
    """Starts the command with a screen."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DISPLAY", display)
        return start(folder, *words)


@pytest.fixture
def screen():
    """The number of a screen that nobody sees, as DISPLAY has it."""
    read, write = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write), "-screen", "0", "800x600x24"], pass_fds=[write], stderr=subprocess.DEVNULL
    )
    os.close(write)
    yield f":{os.read(read, 10).decode().strip()}"
    server.kill()
    server.wait()


def test_a_dead_screen_is_none_and_the_run_goes_on(live_model, tmp_path):
    video(tmp_path / "clip.mp4", 5)
    words = (f"model={live_model}", "source=clip.mp4", "threads=1", "save_json=True")
    run = run_on(":987", tmp_path, *words)
    said, _ = run.communicate(timeout=120)
    assert run.returncode == 0 and "5 frames in" in said
    run = run_on(":987", tmp_path, *words, "show=True")
    said, _ = run.communicate(timeout=120)
    assert run.returncode == 1 and "show=True needs a screen" in said and "Traceback" not in said


@xvfb
def test_a_screen_is_found(screen, monkeypatch):
    monkeypatch.setenv("DISPLAY", screen)
    assert can_show()


# Somebody closes each window after ten pictures: what OpenCV sees of it is that the window is not there any more.
CLOSES = """
import sys, cv2
from yolo_attn import cli
from yolo_attn.live.windows import Windows, is_open

show, shown = Windows.show, {}

def and_close(self, index, image):
    show(self, index, image)
    shown[index] = shown.get(index, 0) + 1
    if shown[index] == 10:
        cv2.destroyWindow(self._titles[index])

Windows.show = and_close
status = cli.main(sys.argv[1:])
print("open:", sum(map(is_open, ("a.mp4", "b.mp4", "yolo-attn live"))))
sys.exit(status)
"""


@xvfb
@pytest.mark.parametrize("other", [(), ("save_json=True",)], ids=["alone", "beside lines of JSON"])
def test_a_closed_window_stays_closed(live_model, tmp_path, screen, other):
    """With the last one the run ends, unless it has something else to do: then it goes on without windows."""
    for name in ("a", "b"):
        video(tmp_path / f"{name}.mp4", 60)
    words = ("live", f"model={live_model}", "source=a.mp4,b.mp4", "threads=1", "show=True", *other)
    done = subprocess.run(
        [sys.executable, "-c", CLOSES, *words], cwd=tmp_path, env={**os.environ, "DISPLAY": screen},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0 and "open: 0" in done.stdout
    assert ("120 frames in" in done.stdout) == bool(other)
