"""Who takes messages on this machine: an HTTP server that can be made to fail, and Debian's MQTT broker."""

import json
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.support.live_camera import wait_for


class Receiver:
    """Takes POSTs of JSON, of which it fails every other: with a status in turn with a connection that just ends.

    Attributes:
        taken: The messages that it answered with 200.
        asked: How many it was sent.
        headers: Those of the last one.
    """

    def __init__(self):
        self.taken: list[dict] = []
        self.asked, self.fails = 0, True
        self.headers: dict[str, str] = {}
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.asked += 1
                receiver.headers = dict(self.headers)
                if receiver.fails and receiver.asked % 2:
                    if receiver.asked % 4 == 1:
                        self.send_error(503)
                    else:
                        self.close_connection = True
                    return
                receiver.taken.append(json.loads(body))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *words):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def __enter__(self) -> "Receiver":
        return self

    def __exit__(self, *raised) -> None:
        self._server.shutdown()
        self._server.server_close()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


@contextmanager
def broker(folder: Path, port: int) -> Iterator[None]:
    """Runs mosquitto at `port` of this machine, with its settings in `folder`."""
    program = shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin")
    assert program is not None
    settings = folder / "mosquitto.conf"
    settings.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
    run = subprocess.Popen([program, "-c", str(settings)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: answers(port))
        yield
    finally:
        run.terminate()
        run.wait(10)


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True
