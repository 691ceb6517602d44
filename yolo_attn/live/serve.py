"""The page in the browser: the live picture as MJPEG, the state as JSON, and buttons; and what programs ask for.

A picture is encoded once for all who watch it, in a thread of its own, and not at all when nobody does. A viewer who is
slow misses pictures; nobody waits for him.
"""

import asyncio
import functools
import ipaddress
import json
import socket
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import cv2
import numpy as np

from yolo_attn.errors import AttentionError
from yolo_attn.live import health, metrics
from yolo_attn.live.status import Status
from yolo_attn.live.zones import Zones

try:
    import uvicorn
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
    from starlette.routing import Route

    from yolo_attn.live.guard import Guard
    from yolo_attn.live.patience import MOST, SECONDS, Patience
except ImportError as error:
    raise AttentionError(f"serve=... needs Starlette and Uvicorn ({error}): pip install starlette uvicorn") from None

PAGE = Path(__file__).with_name("page.html")
LARGEST = 1 << 20  # bytes of what the page sends
COMMANDS = ("pause", "resume", "snapshot", "gate")
QUALITY = 80  # of the JPEG pictures, in per cent
SMALL = 640  # pixels that a picture among others is wide at most
BOUNDARY = "picture"
POLICY = (  # nothing from elsewhere, and in nobody's frame
    "default-src 'self'; img-src 'self' data:; script-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'none'"
)


class Feed:
    """A source's newest picture, and its JPEG for those who watch."""

    def __init__(self):
        self.image: np.ndarray | None = None
        self.fresh = False
        self.viewers = 0
        self.jpeg = b""
        self.small: tuple[np.ndarray | None, bytes] = None, b""  # and the picture that it was made of
        self.changed: asyncio.Event | None = None


class Page:
    """A web server in a thread, for the pictures and the state of `sources` sources; `seconds` is what it waits for
    a request.

    Raises:
        AttentionError: The address is open to others and there is no token, or the port is taken.
    """

    def __init__(
        self,
        address: str,
        token: str,
        sources: int,
        command: Callable[[str], None] = lambda name: None,
        seconds: float = SECONDS,
    ):
        self.host, self.port = parse(address)
        if not token and not is_loopback(self.host):
            raise AttentionError(
                f"serve={address} is open to others: set a password with token=..., or write serve={self.port}"
            )
        self._token, self.command = token, command
        self._feeds = [Feed() for _ in range(sources)]
        self.zones: Zones | None = None  # which may be drawn on the page
        self.watched: Status | None = None  # whose health and numbers are asked for
        self._state: dict = {}
        self._closed = False
        self._new_picture = threading.Condition()
        self._loop: asyncio.AbstractEventLoop | None = None
        try:
            family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
            self._socket = socket.create_server((self.host, self.port), family=family)
        except OSError as error:
            raise AttentionError(f"serve={address} cannot be opened: {error.strerror}; choose another port") from None
        self.port = self._socket.getsockname()[1]
        config = uvicorn.Config(
            self._app(), log_level="critical", lifespan="off", timeout_graceful_shutdown=1,
            http=functools.partial(Patience, seconds=seconds), limit_concurrency=MOST,  # type: ignore[arg-type]
        )  # fmt: skip
        self._server = uvicorn.Server(config)
        self._threads = [
            threading.Thread(target=target, name=f"page {target.__name__}", daemon=True)
            for target in (self._serve, self._encode)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}/" + ("?token=..." if self._token else "")

    def picture(self, index: int, image: np.ndarray) -> None:
        """Takes a source's newest picture, (H, W, 3) BGR, which nobody changes any more."""
        feed = self._feeds[index]
        with self._new_picture:
            feed.image, feed.fresh = image, True
            if feed.viewers:
                self._new_picture.notify()

    def status(self, state: dict) -> None:
        """Takes what the page shows beside the picture."""
        self._state = state

    def close(self) -> None:
        """Ends the server and all streams."""
        with self._new_picture:
            self._closed = True
            self._new_picture.notify()
        self._server.should_exit = True
        for thread in self._threads:
            thread.join(3)

    def _serve(self) -> None:
        asyncio.run(self._run())

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        await self._server.serve(sockets=[self._socket])

    def _encode(self) -> None:
        """Encodes pictures that somebody waits for, the newest only."""
        while True:
            with self._new_picture:
                self._new_picture.wait_for(lambda: self._closed or any(f.fresh and f.viewers for f in self._feeds))
                if self._closed:
                    break
                feed = next(f for f in self._feeds if f.fresh and f.viewers)
                image, feed.fresh = feed.image, False
            assert image is not None
            good, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
            if good:
                feed.jpeg = data.tobytes()
                self._wake(feed)
        for feed in self._feeds:
            self._wake(feed)

    def _wake(self, feed: Feed) -> None:
        def wake():
            before, feed.changed = feed.changed, asyncio.Event()
            if before:
                before.set()

        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(wake)

    def _app(self) -> Guard:
        routes = [
            Route("/", self._page),
            Route("/status.json", self._status),
            Route("/health", self._health),
            Route("/metrics", self._metrics),
            Route("/picture/{index:int}", self._stream),
            Route("/still/{index:int}", self._still),
            Route("/snapshot/{name}", self._snapshot),
            Route("/page.js", self._script),
            Route("/zones.js", self._script),
            Route("/zones.json", self._zones, methods=["GET", "POST"]),
            Route("/command/{name}", self._command, methods=["POST"]),
            Route("/conf/{conf:float}", self._conf, methods=["POST"]),
        ]
        return Guard(Starlette(routes=routes), self._token, self.port)

    async def _page(self, request: Request) -> Response:
        return FileResponse(PAGE, headers={"Content-Security-Policy": POLICY, "Cache-Control": "no-cache"})

    async def _status(self, request: Request) -> Response:
        return Response(json.dumps(self._state), media_type="application/json", headers={"Cache-Control": "no-store"})

    async def _health(self, request: Request) -> Response:
        said = health.of(self.watched)
        return JSONResponse(said, 503 if said["wrong"] else 200, headers={"Cache-Control": "no-store"})

    async def _metrics(self, request: Request) -> Response:
        if self.watched is None:
            return Response("the run has not begun", 503)
        try:
            return Response(metrics.of(self.watched), media_type=metrics.MEDIA_TYPE)
        except ImportError as error:
            return Response(f"{error}: pip install prometheus_client", 501)

    async def _stream(self, request: Request) -> Response:
        index = request.path_params["index"]
        if index >= len(self._feeds):
            return Response("there is no such source", 404)
        kind = f"multipart/x-mixed-replace; boundary={BOUNDARY}"
        return StreamingResponse(
            self._pictures(self._feeds[index]), media_type=kind, headers={"Cache-Control": "no-store"}
        )

    async def _pictures(self, feed: Feed) -> AsyncIterator[bytes]:
        with self._new_picture:
            feed.viewers += 1
            feed.fresh = feed.image is not None  # so that a new viewer sees the last picture of a paused source
            self._new_picture.notify()
        try:
            yield f"--{BOUNDARY}\r\n".encode()
            while not self._closed:
                feed.changed = feed.changed or asyncio.Event()
                await feed.changed.wait()
                # The boundary behind a picture lets the browser show it at once.
                head = f"Content-Type: image/jpeg\r\nContent-Length: {len(feed.jpeg)}\r\n\r\n".encode()
                yield head + feed.jpeg + f"\r\n--{BOUNDARY}\r\n".encode()
        finally:
            with self._new_picture:
                feed.viewers -= 1

    async def _still(self, request: Request) -> Response:
        """Hands out one picture, small, and at once: a browser keeps six connections to a host, too few for streams."""
        index = request.path_params["index"]
        if index >= len(self._feeds):
            return Response("there is no such source", 404)
        feed = self._feeds[index]
        image, (of, jpeg) = feed.image, feed.small
        if image is None:
            return Response("there is no picture yet", 503)
        if of is not image:
            jpeg = await asyncio.to_thread(small_jpeg, image)
            feed.small = image, jpeg
        return Response(jpeg, media_type="image/jpeg", headers={"Cache-Control": "no-store"})

    async def _snapshot(self, request: Request) -> Response:
        files = list(self.watched.snapshots) if self.watched else []
        file = next((file for file in files if file.name == request.path_params["name"]), None)
        if file is None or not file.is_file():
            return Response("there is no such snapshot", 404)
        return FileResponse(file, headers={"Cache-Control": "no-store"})

    async def _conf(self, request: Request) -> Response:
        conf = request.path_params["conf"]
        if not 0 <= conf <= 1 or self.watched is None or request.headers.get("x-yolo-attn") != "1":
            return Response("conf is from 0 to 1", 400)
        self.watched.pipeline.model.conf = conf
        return Response(status_code=204)

    async def _script(self, request: Request) -> Response:
        return FileResponse(PAGE.with_name(request.url.path.rpartition("/")[2]), headers={"Cache-Control": "no-cache"})

    async def _zones(self, request: Request) -> Response:
        """Hands out the shapes, or takes all of them anew; what is no shape is 400, with the line that says why."""
        if request.method == "GET":
            said = None if self.zones is None else [shape.entry() for shape in self.zones.shapes]
            return JSONResponse(said, headers={"Cache-Control": "no-store"})
        if self.zones is None:
            return Response("there is no zones=...", 404)
        if request.headers.get("x-yolo-attn") != "1" or int(request.headers.get("content-length", LARGEST)) >= LARGEST:
            return Response("unknown command", 400)
        try:
            self.zones.draw(json.loads(await request.body()))
        except (ValueError, RecursionError) as error:
            return Response(str(error), 400)
        return Response(status_code=204)

    async def _command(self, request: Request) -> Response:
        # A page of another site can send a POST here, but not with a header of its own.
        if request.path_params["name"] not in COMMANDS or request.headers.get("x-yolo-attn") != "1":
            return Response("unknown command", 400)
        self.command(request.path_params["name"])
        return Response(status_code=204)


def small_jpeg(image: np.ndarray) -> bytes:
    """Returns a picture, (H, W, 3) BGR, as JPEG, at most `SMALL` pixels wide."""
    height, width = image.shape[:2]
    if width > SMALL:
        image = cv2.resize(image, (SMALL, max(round(height * SMALL / width), 1)), interpolation=cv2.INTER_AREA)
    return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes()


def parse(address: str) -> tuple[str, int]:
    """Returns host and port of `8000`, `0.0.0.0:8000` or `[::]:8000`."""
    host, _, port = address.rpartition(":")
    if not port.isdecimal() or int(port) > 65535:
        raise AttentionError(
            f"serve={address} is no port: write serve=8000, or serve=0.0.0.0:8000 token=... for others"
        )
    return host.strip("[]") or "127.0.0.1", int(port)


def is_loopback(host: str) -> bool:
    """Tells whether only this machine reaches `host`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
