"""How one message gets to a URL: HTTP by the standard library, MQTT by paho-mqtt. What fails raises."""

import base64
from collections.abc import Callable
from functools import partial
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.parse import unquote, urlsplit, urlunsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from yolo_attn.errors import AttentionError

WAIT = 10.0  # seconds
FAILURES = (OSError, HTTPException, ValueError)  # of a server or on the way to it


class Straight(HTTPRedirectHandler):
    """No redirect is followed: a POST would become a GET without its message, and be answered with 200."""

    def redirect_request(self, *args):
        return None


def sender(url: str) -> Callable[[str], None]:
    """Returns a function that sends a JSON text to `url` and returns when it was taken.

    Raises:
        AttentionError: It is an MQTT URL, and paho-mqtt is not installed.
    """
    parts = urlsplit(url)
    if parts.scheme in ("http", "https"):
        return partial(_post, url)
    try:
        import paho.mqtt.publish  # noqa: F401
    except ImportError as error:
        raise AttentionError(f"mqtt:... needs paho-mqtt ({error}): pip install paho-mqtt") from None
    return partial(_publish, url)


def _post(url: str, body: str) -> None:
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    headers = {"Content-Type": "application/json"}
    if at:
        headers["Authorization"] = f"Basic {base64.b64encode(unquote(user).encode()).decode()}"
    request = Request(urlunsplit(parts._replace(netloc=host)), body.encode(), headers, method="POST")
    try:
        build_opener(Straight).open(request, timeout=WAIT).close()
    except HTTPError as error:
        raise OSError(f"answers with status {error.code}") from None


def _publish(url: str, body: str) -> None:
    """Publishes once, with a connection of its own, and waits until the broker has it (QoS 1)."""
    import ssl

    from paho.mqtt import MQTTException, publish

    parts = urlsplit(url)
    secure = parts.scheme == "mqtts"
    options: dict[str, Any] = {"hostname": parts.hostname or "", "port": parts.port or (8883 if secure else 1883)}
    if parts.username:
        options["auth"] = {"username": unquote(parts.username), "password": unquote(parts.password or "")}
    if secure:
        options["tls"] = ssl.create_default_context()
    try:
        publish.single(parts.path.strip("/"), body, qos=1, **options)
    except MQTTException as error:
        raise OSError(str(error)) from None
