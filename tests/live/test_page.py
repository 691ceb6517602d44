"""The page of `yolo-attn live serve=...` in Chromium, as two people would see it."""

import http.client
import re
import shutil
import signal
import time

import pytest

from tests.support.live_camera import FakeCamera, wait_for
from tests.support.live_command import start
from yolo_attn.errors import AttentionError

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")


def ask(port: int, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
    """Sends one request to this machine; returns status, headers and body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    response = connection.getresponse()
    return response.status, dict(response.getheaders()), response.read()


def test_two_viewers(live_model, tmp_path):
    playwright = pytest.importorskip("playwright.sync_api")
    expect, chromium = playwright.expect, shutil.which("chromium")
    if not chromium:
        pytest.skip("needs Debian's chromium")
    with FakeCamera() as camera, FakeCamera() as second, playwright.sync_playwright() as browsers:
        run = start(tmp_path, f"model={live_model}", f"source={camera.url},{second.url}", "serve=0", "threads=1")
        assert run.stdout is not None
        assert run.stdout.readline().startswith("ONNX Runtime")
        url = run.stdout.readline().split()[1]
        browser = browsers.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        pages = [browser.new_page() for _ in range(2)]
        wrong: list[str] = []
        for page in pages:
            page.on("pageerror", lambda error: wrong.append(str(error)))
            page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
            page.goto(url)
        for page in pages:
            expect(page.locator("#fps")).to_have_text(re.compile(r"^[1-9]"))
            expect(page.locator("#picture")).to_have_js_property("naturalWidth", 320)
            expect(page.locator("#sources tr.running")).to_have_count(2)
            assert page.locator("#classes tr").count() > 0
            shown = "c => c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some(value => value)"
            assert page.locator("#chart").evaluate(shown)
        one, other = pages
        other.locator("#sources tr").nth(1).click()
        assert other.locator("#picture").get_attribute("src") == "picture/1"
        one.click("#pause")
        expect(other.locator("#pause")).to_have_text("Resume")
        one.click("#snapshot")
        expect(one.locator("#said")).to_contain_text("snapshot: runs")
        assert len(list((tmp_path / "runs" / "live" / "exp").glob("*.jpg"))) == 2
        other.click("#pause")
        expect(one.locator("#pause")).to_have_text("Pause")
        camera.vanish()
        expect(one.locator("#sources tr.reconnecting")).to_have_count(1)
        camera.start()
        expect(one.locator("#sources tr.running")).to_have_count(2)
        assert not wrong
        browser.close()
        run.send_signal(signal.SIGTERM)
        output, _ = run.communicate(timeout=20)
    assert run.returncode == 0 and "lag p50" in output and "Traceback" not in output


def test_who_is_let_in():
    from yolo_attn.live.serve import Page

    with pytest.raises(AttentionError, match="token="):
        Page("0.0.0.0:0", "", 1)
    with pytest.raises(AttentionError, match="no port"):
        Page("camera", "", 1)
    did: list[str] = []
    page = Page("0", "", 1, did.append)
    try:
        with pytest.raises(AttentionError, match="another port"):
            Page(str(page.port), "", 1)
        status, headers, body = ask(page.port, "/")
        assert status == 200 and b"<canvas" in body and "default-src 'self'" in headers["content-security-policy"]
        assert not re.findall(rb"(?:src|href)=\"https?:", body)
        assert ask(page.port, "/status.json", Host="evil.example")[0] == 400  # a name that resolves to this machine
        assert ask(page.port, "/command/pause", "POST")[0] == 400  # a form on another site sends no such header
        assert ask(page.port, "/command/pause", "POST", X_Yolo_Attn="1")[0] == 204 and did == ["pause"]
        assert ask(page.port, "/command/quit", "POST", X_Yolo_Attn="1")[0] == 400
        assert ask(page.port, "/picture/7")[0] == 404
    finally:
        page.close()
    page = Page("0.0.0.0:0", "secret", 1)
    try:
        for path in ("/", "/status.json", "/picture/0", "/?token=wrong", "/status.json?token="):
            assert ask(page.port, path)[0] == 401
        assert ask(page.port, "/", Cookie="yolo-attn=wrong")[0] == 401
        status, headers, _ = ask(page.port, "/?token=secret")
        cookie = headers["set-cookie"]
        assert (
            status == 307
            and headers["location"] == "/"
            and "HttpOnly" in cookie
            and "samesite=strict" in cookie.lower()
        )
        assert ask(page.port, "/status.json", Cookie=cookie.split(";")[0])[0] == 200
    finally:
        page.close()


def test_a_picture_is_encoded_only_while_somebody_watches():
    import numpy as np

    from yolo_attn.live.serve import Page

    page = Page("0", "", 1)
    try:
        image = np.zeros((8, 8, 3), np.uint8)
        page.picture(0, image)
        time.sleep(0.2)
        (feed,) = page._feeds
        assert not feed.jpeg
        viewers = [http.client.HTTPConnection("127.0.0.1", page.port, timeout=10) for _ in range(3)]
        for viewer in viewers:
            viewer.request("GET", "/picture/0")
            response = viewer.getresponse()
            assert response.read(400).count(b"\xff\xd8") == 1  # the last picture at once
        assert feed.viewers == 3
        for viewer in viewers:
            viewer.sock.close() if viewer.sock else None
            response.close()
        wait_for(lambda: page.picture(0, image) or feed.viewers < 3, 5)
    finally:
        page.close()
