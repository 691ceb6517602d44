"""What a run that records, writes lines and sends messages has lost when it was ended.

    python -m benchmarks.live.ends model.onnx

ends one each by SIGHUP, by kill -9, and by another process that fills the disk (a tmpfs, mounted by root).

A second run of the project follows, which sends the messages that wait; their receiver refuses every other one. Counted
are the seconds of video between the last line of JSON and the end of what can be played, lines that are not whole, and
messages of which the run said that they were made and that never came.
"""

import contextlib
import itertools
import json
import os
import re
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2

from benchmarks import arguments
from tests.support.live_camera import FakeCamera, wait_for
from tests.support.live_command import start

RECORDED_SECONDS = 5.0
TMPFS_MB = 24


class Receiver:
    """Takes every other message that is posted to it."""

    def __init__(self):
        self.times: dict[str, float] = {}  # of the frames that the messages are of, by their ids
        receiver, asked = self, itertools.count()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                good = next(asked) % 2
                if good:
                    said = json.loads(body)
                    receiver.times[said["id"]] = said["time"]
                self.send_response(204 if good else 500)
                self.end_headers()

            def log_message(self, *words):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def ended(model: str, end: Callable[[subprocess.Popen, Path], object]) -> dict:
    """Lets a run record for some seconds, ends it, and returns what was lost."""
    receiver = Receiver()
    with disk() as folder, FakeCamera() as camera:
        words = (f"model={Path(model).resolve()}", f"source=door@{camera.url}", "threads=1", "save=True")
        words += ("save_json=True", f"on=any>0 every 0.5s do=post:{receiver.url}")
        run = start(folder, *words)
        lines = folder / "runs" / "live" / "exp" / "detections.jsonl"
        wait_for(lambda: time.sleep(0.1) or (lines.exists() and lines.stat().st_size), 60)
        time.sleep(RECORDED_SECONDS)
        end(run, folder)
        output, _ = run.communicate(timeout=60)
        made, until = len(re.findall(r"event: any>0", output)), time.time()
        (folder / "filler").unlink(missing_ok=True)
        whole, torn = read_lines(lines)
        video = sum(playable(file) for file in lines.parent.glob("*.mp4"))
        again = start(folder, *words)

        def lost() -> int:
            return made - sum(taken < until for taken in list(receiver.times.values()))

        with contextlib.suppress(AssertionError):  # then some are lost, which is counted
            wait_for(lambda: time.sleep(0.2) or lost() <= 0, 30)
        again.terminate()
        again.communicate(timeout=60)
    receiver.server.shutdown()
    span = whole[-1]["time"] - whole[0]["time"]
    return {
        "exit status": run.returncode,
        "seconds recorded": round(span, 1),
        "seconds of video lost": round(max(span - video, 0), 1),
        "lines torn": torn,
        "messages": made,
        "messages lost": max(lost(), 0),
    }


def read_lines(file: Path) -> tuple[list[dict], int]:
    """Returns the lines of JSON that are whole, and how many are not."""
    found, torn = [], 0
    for line in file.read_text().splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            torn += 1
    return found, torn


def playable(file: Path) -> float:
    """Returns how many seconds of a video can be played."""
    capture, frames = cv2.VideoCapture(str(file)), 0
    rate = capture.get(cv2.CAP_PROP_FPS)
    while capture.grab():
        frames += 1
    return frames / rate if frames else 0.0


@contextlib.contextmanager
def disk() -> Iterator[Path]:
    """Yields a folder on a small disk of its own, where root may mount one."""
    with tempfile.TemporaryDirectory() as folder:
        if os.geteuid():
            yield Path(folder)
            return
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={TMPFS_MB}m", "none", folder], check=True)
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", folder], check=True)


def fill(run: subprocess.Popen, folder: Path) -> None:
    """Lets another process write until there is no room, and ends the run a while later."""
    if not os.geteuid():
        subprocess.run(["dd", "if=/dev/zero", f"of={folder / 'filler'}", "bs=64k"], stderr=subprocess.DEVNULL)
    time.sleep(3)
    run.terminate()


ENDS: dict[str, Callable[[str], dict]] = {
    "SIGHUP": lambda model: ended(model, lambda run, _: run.send_signal(signal.SIGHUP)),
    "kill -9": lambda model: ended(model, lambda run, _: run.kill()),
    "full disk": lambda model: ended(model, fill),
}


def main() -> None:
    """Ends one run in each way and prints what was lost."""
    parser = arguments.parser(__doc__)
    parser.add_argument("model", help="an ONNX file")
    model = parser.parse_args().model
    for name, end in ENDS.items():
        print(name, end(model), flush=True)


if __name__ == "__main__":
    main()
