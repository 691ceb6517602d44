"""Why a stream cannot be opened, which OpenCV does not say: no address, nobody there, a password, no such stream."""

import re
import socket
import time
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import NamedTuple
from urllib.parse import urlsplit

from yolo_attn.live.naming import USER

WAIT = 3.0  # seconds
PORTS = {"http": 80, "https": 443, "rtsp": 554, "rtmp": 1935}
LONGEST_PAUSE = 1.0  # seconds between two attempts, where a camera may come back at any time
PATIENCE = 60.0  # where it will not by itself, and where a camera locks out whoever asks too often


class Refusal(NamedTuple):
    """Why, for a person, and how long the pauses between two attempts may grow, in seconds."""

    why: str
    longest_pause: float = LONGEST_PAUSE


CANNOT = Refusal("cannot be opened")
BY_STATUS = {
    401: Refusal("refuses the user or the password, or asks for them (401)", PATIENCE),
    403: Refusal("refuses access (403)", PATIENCE),
    404: Refusal("has no stream of that path (404)", PATIENCE),
}


def refusal(url: str) -> Refusal:
    """Asks a stream's server once, without a password, and returns why it cannot be opened."""
    try:
        parts = urlsplit(url)
        scheme, host, port = parts.scheme.lower(), parts.hostname or "", parts.port
    except ValueError:
        return Refusal("is no URL", PATIENCE)
    port = port or PORTS.get(scheme, 0)
    if not host or not port:
        return CANNOT
    try:
        if scheme in ("http", "https"):
            status = _http_status(scheme, host, port, f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}")
        elif scheme == "rtsp":
            status = _rtsp_status(host, port, url)
        else:
            socket.create_connection((host, port), WAIT).close()
            return CANNOT
    except socket.gaierror:
        return Refusal(f"has no address: the name {host} is not known (DNS)", 10.0)
    except ConnectionRefusedError:
        return Refusal("is not there: connection refused")
    except (OSError, HTTPException, ValueError):
        return CANNOT
    return BY_STATUS.get(status, CANNOT if status < 400 else Refusal(f"answers with status {status}", 10.0))


def _http_status(scheme: str, host: str, port: int, path: str) -> int:
    kind = HTTPSConnection if scheme == "https" else HTTPConnection
    connection = kind(host, port, timeout=WAIT)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()


def _rtsp_status(host: str, port: int, url: str) -> int:
    plain = USER.sub("", url)
    with socket.create_connection((host, port), WAIT) as connection:
        connection.settimeout(WAIT)
        connection.sendall(f"DESCRIBE {plain} RTSP/1.0\r\nCSeq: 1\r\nAccept: application/sdp\r\n\r\n".encode())
        answer, until = b"", time.monotonic() + WAIT
        while b"\r\n" not in answer and time.monotonic() < until:
            part = connection.recv(1024)
            if not part:
                break
            answer += part
    found = re.match(rb"RTSP/\d\.\d (\d{3})", answer)
    return int(found[1]) if found else 200
