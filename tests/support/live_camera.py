"""A camera on this machine: MJPEG over HTTP, which can be made to fail in the ways that cameras fail."""

import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cv2
import numpy as np


class FakeCamera:
    """Sends pictures at `fps`. Every attribute may be changed while it runs.

    Attributes:
        size: (H, W) of the pictures.
        stalled: Connections stay open, and nothing is sent.
        broken: JPEGs are cut in half.
        refuses: Whoever connects is told 401.
        asked: How often somebody connected.
        sent: How many pictures went out; the number is written into each as black and white squares.
        times: When the last thousand of them went out, on the monotonic clock.
    """

    def __init__(self, fps: float = 30.0, size: tuple[int, int] = (240, 320)):
        self.fps, self.size = fps, size
        self.stalled = self.broken = self.refuses = False
        self.sent = self.asked = 0
        self.times: dict[int, float] = {}
        self._server: ThreadingHTTPServer | None = None
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/camera.mjpg"

    def start(self) -> "FakeCamera":
        """Lets the camera appear at its address."""
        camera = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                camera.stream(self)

            def log_message(self, *words):
                pass

        class Server(ThreadingHTTPServer):
            allow_reuse_address = daemon_threads = True

            def handle_error(self, request, client_address):  # a viewer who leaves is no error
                pass

        self._server = Server(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def vanish(self) -> None:
        """Closes all connections and lets nobody connect."""
        server, self._server = self._server, None
        if server:
            server.shutdown()
            server.server_close()

    def __enter__(self) -> "FakeCamera":
        return self.start()

    def __exit__(self, *raised) -> None:
        self.vanish()

    def stream(self, handler: BaseHTTPRequestHandler) -> None:
        """Sends pictures to one viewer until the camera vanishes."""
        self.asked += 1
        if self.refuses:
            handler.send_error(401)
            return
        handler.send_response(200)
        handler.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        handler.end_headers()
        server, due = self._server, time.monotonic()
        while self._server is server:
            due = max(due + 1 / self.fps, time.monotonic() - 1 / self.fps)
            time.sleep(max(due - time.monotonic(), 0))
            if self.stalled:
                continue
            self.sent += 1
            data = cv2.imencode(".jpg", picture(self.sent, self.size))[1].tobytes()
            self.times[self.sent] = time.monotonic()
            self.times.pop(self.sent - 1000, None)
            if self.broken:
                data = data[: len(data) // 2]
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
            handler.wfile.write(head.encode() + data + b"\r\n")
        handler.connection.close()


def picture(number: int, size: tuple[int, int]) -> np.ndarray:
    """Returns a picture with a moving disc, and its number as 16 squares of 8 pixels in the top row."""
    image = np.full((*size, 3), (60, 90, 70), np.uint8)
    cv2.circle(image, (number * 5 % size[1], size[0] // 2), size[0] // 5, (40, 60, 220), -1)
    for bit in range(16):
        image[:8, bit * 8 : bit * 8 + 8] = 255 * (number >> bit & 1)
    return image


def number_of(image: np.ndarray) -> int:
    """Returns the number that is written into a picture."""
    return sum(1 << bit for bit in range(16) if image[4, bit * 8 + 4].mean() > 127)


def wait_for(condition, seconds: float = 20.0) -> float:
    """Waits until `condition()` holds and returns the seconds it took; fails when it takes too long."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, "it did not happen"
        time.sleep(0.01)
    return time.monotonic() - began
