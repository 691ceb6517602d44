"""Slow cameras, segments, films over HTTP, and why a stream cannot be opened."""

import functools
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer

import cv2
import pytest

from tests.support.live_camera import FakeCamera, number_of, picture, wait_for
from yolo_attn.live.mailbox import Mailbox
from yolo_attn.live.opening import open_sources
from yolo_attn.live.pace import FIRST, LEAST, MOST, SEGMENTS, Pace
from yolo_attn.live.refusals import PATIENCE, refusal


def paced(*times: float, **options) -> Pace:
    pace = Pace(**options)
    for now in times:
        pace.frame(now)
    return pace


def test_a_camera_may_be_silent_for_three_times_its_longest_gap():
    assert Pace().limit == FIRST
    assert paced(0, 0.03, 0.07).limit == LEAST
    assert paced(0, 2, 4.5).limit == 7.5
    assert paced(0, 500).limit == MOST
    assert paced(0, 2, timeout=0.5).limit == 0.5
    assert Pace(segmented=True).limit == paced(0, 0.01, segmented=True).limit == SEGMENTS


def test_what_was_given_up_for_silence_may_be_a_slower_camera():
    pace = paced(0, 0.1)
    pace.ended(1.0)  # after a second of silence
    assert pace.limit == pytest.approx(2.7)
    pace = paced(0, 0.1)
    pace.ended(0.3)  # the connection was closed
    assert pace.limit == LEAST


def read(where: str, keeps_all: bool = True, **options):
    """Starts the one source of `where` and returns it with the mailbox that its frames go to."""
    (source,) = open_sources(where, keeps_all, 1, **options)
    source.start_into(mailbox := Mailbox([keeps_all]))
    return source, mailbox


def test_a_slow_camera_is_not_opened_again():
    with FakeCamera(fps=0.7) as camera:
        source, mailbox = read(camera.url, keeps_all=False)
        wait_for(lambda: source.frames >= 4)
        assert source.reconnects == 0 and source.state == "running"
        source.stop()
    mailbox.close()


def test_a_time_out_that_was_asked_for_counts():
    with FakeCamera() as camera:
        source, mailbox = read(camera.url, keeps_all=False, timeout=0.6)
        wait_for(lambda: source.frames > 3)
        camera.stalled = True
        assert wait_for(lambda: source.reconnects) < 3
        source.stop()
    mailbox.close()


class Served:
    """A folder over HTTP."""

    def __init__(self, folder):
        class Handler(SimpleHTTPRequestHandler):
            def log_message(self, *words):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(folder)))
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/{name}"


@pytest.fixture
def served(tmp_path):
    found = Served(tmp_path)
    yield found
    found.server.shutdown()


def film(file, numbers) -> None:
    writer = cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*"mp4v"), 25, (320, 240))
    assert writer.isOpened()
    for number in numbers:
        writer.write(picture(number, (240, 320)))
    writer.release()


def numbers_from(mailbox: Mailbox) -> list[int]:
    found = []
    while not mailbox.done:
        frame = mailbox.poll(0.2)
        if frame is not None:
            found.append(number_of(frame.image))
    return found


def test_a_film_over_http_ends_as_a_file_ends(served, tmp_path):
    film(tmp_path / "film.mp4", range(1, 31))
    source, mailbox = read(served.url("film.mp4?key=1"))
    assert numbers_from(mailbox) == [*range(1, 31)]
    assert source.state == "ended" and not source.error and source.label.endswith("film.mp4")


def test_segments_are_read_in_their_order_each_frame_once(served, tmp_path):
    lines = ["#EXTM3U", "#EXT-X-VERSION:3", "#EXT-X-TARGETDURATION:2"]
    for k in range(3):
        film(tmp_path / f"s{k}.ts", range(25 * k + 1, 25 * k + 26))
        lines += ["#EXT-X-DISCONTINUITY", "#EXTINF:1.0,", f"s{k}.ts"]
    (tmp_path / "live.m3u8").write_text("\n".join([*lines, "#EXT-X-ENDLIST"]))
    source, mailbox = read(served.url("live.m3u8"))
    found = numbers_from(mailbox)
    assert found == sorted(set(found)) and len(found) > 60
    assert source.reconnects == 0


class Answers:
    """A server that answers every request with one status, over HTTP or RTSP."""

    def __init__(self, status: int):
        self.asked: list[float] = []
        answers = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                answers.asked.append(time.monotonic())
                self.send_error(status)

            def log_message(self, *words):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()


@pytest.mark.parametrize(("status", "why"), [(401, "password"), (403, "access"), (404, "no stream of that path")])
def test_a_server_that_refuses_is_left_alone(status, why):
    server = Answers(status)
    source, mailbox = read(f"http://user:secret@127.0.0.1:{server.port}/camera.mjpg")
    wait_for(lambda: source.error)
    assert why in source.error and str(status) in source.error and "secret" not in source.error
    time.sleep(3)
    assert len(server.asked) <= 4  # the attempt, which FFmpeg may repeat, and the question why
    source.stop()
    mailbox.close()
    server.server.shutdown()


def test_an_rtsp_camera_is_asked_why(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer():
            connection, _ = server.accept()
            asked.append(connection.recv(1000).decode())
            connection.sendall(b"RTSP/1.0 401 Unauthorized\r\nCSeq: 1\r\n\r\n")

        asked: list[str] = []
        threading.Thread(target=answer, daemon=True).start()
        found = refusal(f"rtsp://user:secret@127.0.0.1:{server.getsockname()[1]}/live")
    assert "password" in found.why and found.longest_pause == PATIENCE
    assert asked[0].startswith("DESCRIBE rtsp://127.0.0.1:") and "secret" not in asked[0]


def test_nobody_there_and_no_address_are_told_apart():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert "connection refused" in refusal(f"rtsp://127.0.0.1:{port}/live").why
    assert "(DNS)" in refusal("http://nowhere.invalid/live").why
    assert refusal("http://[::1/live").why == "is no URL"


def test_a_file_of_streams_has_one_a_line(tmp_path):
    (tmp_path / "my film.mp4").touch()
    file = tmp_path / "all.streams"
    file.write_text(f"# the doors\nrtsp://camera/live?a=1\n\n  {tmp_path / 'my film.mp4'}  \nhall@1\n")
    assert [source.label for source in open_sources(str(file), None, 1)] == ["camera/live", "my film.mp4", "hall"]
