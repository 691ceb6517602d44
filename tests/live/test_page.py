"""The page of `yolo-attn live serve=...` in Chromium, as two people would see it."""

import http.client
import re
import shutil
import signal
import threading
import time

import pytest

from tests.support.live_camera import FakeCamera, wait_for
from tests.support.live_command import start
from yolo_attn.errors import AttentionError
from yolo_attn.live import open_pipeline
from yolo_attn.live.options import LiveOptions
from yolo_attn.live.runner import Outputs, Runner

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")

from yolo_attn.live.serve import Page  # noqa: E402


@pytest.fixture
def chromium() -> str:
    return shutil.which("chromium") or pytest.skip("needs Debian's chromium")


def ask(port: int, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
    """Sends one request to this machine; returns status, headers and body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    response = connection.getresponse()
    return response.status, dict(response.getheaders()), response.read()


def test_two_viewers(live_model, tmp_path, chromium):
    playwright = pytest.importorskip("playwright.sync_api")
    expect = playwright.expect
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
            page.locator(".tile").nth(0).click()
        for page in pages:
            expect(page.locator("#fps")).to_have_text(re.compile(r"^[1-9]"))
            expect(page.locator("#picture")).to_have_js_property("naturalWidth", 320)
            expect(page.locator("#sources tr.running")).to_have_count(2)
            assert page.locator("#classes tr").count() > 0
            shown = "c => c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some(value => value)"
            assert page.locator("#chart").evaluate(shown)
        one, other = pages
        other.locator("#sources tr").nth(1).click()
        expect(other.locator("#picture")).to_have_attribute("src", "picture/1")
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


def opened(chromium: str, browsers, page: Page, size: tuple[int, int] = (1280, 800)):
    """Returns a page of the browser on a page of ours, which fails the test for any error in it."""
    browser = browsers.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
    seen = browser.new_page(viewport={"width": size[0], "height": size[1]}, color_scheme="light")
    seen.on("pageerror", lambda error: pytest.fail(str(error)))
    seen.goto(f"http://127.0.0.1:{page.port}/")
    return seen


@pytest.fixture
def served(live_model, tmp_path):
    """A run with two cameras and a page, in this process; its folder is `run`."""
    page = Page("0", "", 2)
    with FakeCamera() as camera, FakeCamera() as other:
        source = f"door@{camera.url},the-north-entrance-of-the-garage@{other.url}"
        pipeline = open_pipeline(LiveOptions(str(live_model), source, threads=1))
        run = Runner(pipeline, Outputs(tmp_path / "run", page=page))
        page.command = run.command
        thread = threading.Thread(target=run.run)
        thread.start()
        yield page, run
        run.command("quit")
        thread.join(20)


def test_all_sources_and_one_of_them_by_mouse_and_by_key(served, chromium):
    page, run = served
    playwright = pytest.importorskip("playwright.sync_api")
    expect = playwright.expect
    with playwright.sync_playwright() as browsers:
        seen = opened(chromium, browsers, page)
        tiles, picture = seen.locator(".tile"), seen.locator("#picture")
        expect(tiles).to_have_count(2)
        expect(seen.locator(".tile.running img").nth(1)).to_have_js_property("naturalWidth", 320)
        assert not any(feed.viewers for feed in page._feeds)  # six connections are too few for streams
        tiles.nth(1).click()
        expect(picture).to_have_js_property("naturalWidth", 320)
        expect(seen.locator("#sources tr.shown .name")).to_have_text("the-north-entrance-of-the-garage")
        assert [feed.viewers for feed in page._feeds] == [0, 1]
        seen.reload()
        expect(picture).to_have_attribute("src", "picture/1")
        seen.keyboard.press("Escape")
        expect(tiles.nth(1)).to_be_focused()
        wait_for(lambda: time.sleep(0.1) or not any(feed.viewers for feed in page._feeds))
        seen.keyboard.press("1")
        expect(picture).to_have_attribute("src", "picture/0")
        seen.go_back()
        expect(tiles.nth(0)).to_be_visible()
        reached = set()
        for _ in range(16):
            seen.keyboard.press("Tab")
            focused = seen.evaluate(
                "[document.activeElement.id || document.activeElement.className, "
                "getComputedStyle(document.activeElement).outlineStyle]"
            )
            assert focused[1] == "solid" or focused[0] == "", focused
            reached.add(focused[0].split()[0] if focused[0] else "")
        assert reached >= {"pause", "snapshot", "full", "tile", "conf", "open"}
        seen.keyboard.press("p")
        expect(seen.locator("#pause")).to_have_text("Resume")
        assert run.pipeline.paused
        seen.keyboard.press("p")
        wait_for(lambda: not run.pipeline.paused)
        seen.keyboard.press("f")
        expect(seen.locator("#stage:fullscreen")).to_have_count(1)


def test_the_threshold_is_changed_while_it_runs(served, chromium):
    page, run = served
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as browsers:
        seen = opened(chromium, browsers, page)
        slider = seen.locator("#conf")
        playwright.expect(slider).to_have_value("0.25")
        slider.fill("0.98")
        wait_for(lambda: run.pipeline.model.conf == 0.98)
        wait_for(lambda: not run.status.counts())
        slider.fill("0.05")
        wait_for(lambda: run.status.counts())
        other = opened(chromium, browsers, page)
        playwright.expect(other.locator("#least")).to_have_text("0.05")
    assert ask(page.port, "/conf/0.5", "POST")[0] == ask(page.port, "/conf/1.5", "POST", X_Yolo_Attn="1")[0] == 400


def test_a_snapshot_is_shown_with_its_file(served, chromium):
    page, run = served
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as browsers:
        seen = opened(chromium, browsers, page)
        wait_for(lambda: all(run.stats.of))
        seen.keyboard.press("s")
        links = seen.locator("#snapshots a")
        playwright.expect(links).to_have_count(2)
        playwright.expect(links.nth(0).locator("img")).to_have_js_property("naturalWidth", 320)
        files = sorted((run.outputs.folder).glob("*.jpg"))
        assert sorted(links.all_text_contents()) == [file.name for file in files]
    status, headers, body = ask(page.port, f"/snapshot/{files[0].name}")
    assert status == 200 and headers["content-type"] == "image/jpeg" and body == files[0].read_bytes()
    (run.outputs.folder / "secret.txt").write_text("no snapshot")
    for path in ("secret.txt", "..%2Frun%2Fsecret.txt", "%2Fetc%2Fpasswd"):
        assert ask(page.port, f"/snapshot/{path}")[0] == 404


@pytest.mark.parametrize("width", [1280, 390])
def test_no_word_is_broken_and_nothing_is_beside_the_screen(served, chromium, width):
    page, run = served
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as browsers:
        seen = opened(chromium, browsers, page, (width, 800))
        playwright.expect(seen.locator("#sources tr.running")).to_have_count(2)
        summary = seen.locator("#runs summary")
        assert re.fullmatch(r"ONNX Runtime [\d.]+ on \w+", summary.inner_text())
        summary.click()
        playwright.expect(seen.locator("#runs p")).to_have_text(run.pipeline.model.runs_on)
        assert seen.evaluate("document.documentElement.scrollWidth <= innerWidth")
        broken = seen.evaluate("""() => {
            const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), broken = [];
            for (let text; (text = texts.nextNode());) for (const word of text.data.matchAll(/[a-z0-9]+/gi)) {
                const range = document.createRange();
                range.setStart(text, word.index); range.setEnd(text, word.index + word[0].length);
                if (new Set([...range.getClientRects()].map(box => box.top)).size > 1) broken.push(word[0]);
            }
            return broken;
        }""")
        assert not broken
        dot, name = seen.evaluate("""() => {
            const name = document.querySelector("#sources .name"), text = name.querySelector("span");
            const first = text.getClientRects()[0], dot = getComputedStyle(name, "::before");
            return [[dot.width, dot.backgroundColor], first.left - name.getBoundingClientRect().left];
        }""")
        assert dot == ["8px", "rgb(29, 138, 84)"]  # green, in light colours
        assert 8 < name < 24


def test_who_is_let_in():
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
