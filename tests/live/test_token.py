"""The page's token: whatever letters it has, wherever it comes from, and nobody led elsewhere or kept out by it."""

import os
import socket
import time
from urllib.parse import quote

import numpy as np
import pytest

from tests.live.test_page import ask
from yolo_attn.errors import AttentionError
from yolo_attn.live import patience, token
from yolo_attn.live.serve import Page


@pytest.fixture
def page():
    made = []

    def serve(word: str, **other) -> Page:
        made.append(Page("0", word, 1, **other))
        return made[-1]

    yield serve
    for one in made:
        one.close()


def let_in(page: Page, word: str) -> str:
    """Returns the cookie that a link with a token gives."""
    status, headers, _ = ask(page.port, f"/?token={quote(word)}")
    assert status == 307
    return headers["set-cookie"].split(";")[0]


@pytest.mark.parametrize("word", ["secret", "пароль", "日本 語", "a;b=c", "ü" * 80])
def test_a_token_of_any_letters_works(page, word):
    served = page(word)
    cookie = let_in(served, word)
    assert ask(served.port, "/status.json", Cookie=cookie)[0] == 200
    assert word not in cookie and ask(served.port, "/?token=%D0%BF%FF")[0] == 401


def test_two_pages_of_one_host_have_cookies_of_their_own(page):
    one, other = page("first"), page("second")
    both = f"{let_in(one, 'first')}; {let_in(other, 'second')}"
    assert ask(one.port, "/status.json", Cookie=both)[0] == ask(other.port, "/status.json", Cookie=both)[0] == 200


def test_with_a_token_a_proxy_may_call_it_by_any_name(page):
    served = page("secret")
    cookie = let_in(served, "secret")
    assert ask(served.port, "/status.json", Cookie=cookie, Host="cameras.example")[0] == 200
    assert ask(served.port, "/status.json", Host="cameras.example")[0] == 401


@pytest.mark.parametrize("path", ["//evil.example/", "///evil.example/", "/\\evil.example/"])
def test_a_link_leads_to_the_page_and_nowhere_else(page, path):
    status, headers, _ = ask(page("secret").port, f"{path}?token=secret")
    assert status == 307 and headers["location"].startswith("/") and not headers["location"].startswith(("//", "/\\"))


def test_where_a_token_comes_from(tmp_path, monkeypatch):
    file = tmp_path / "token"
    file.write_text("of the file\n")
    monkeypatch.setenv(token.VARIABLE, "of the environment")
    assert token.read("typed", "") == "typed"
    assert token.read("", str(file)) == "of the file"
    assert token.read("", "") == "of the environment"
    monkeypatch.delenv(token.VARIABLE)
    assert token.read("", "") == ""


@pytest.mark.parametrize(
    ("typed", "content", "said"),
    [
        ("a", b"b", "both give a token"),
        ("", None, "No such file"),
        ("", b" \n", "is empty"),
        ("", b"\xff\xfe", "no text"),
    ],
)
def test_a_token_that_cannot_be_had_is_one_line(tmp_path, typed, content, said):
    file = tmp_path / "token"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(AttentionError, match=said):
        token.read(typed, str(file))


@pytest.mark.skipif(os.name != "posix", reason="counts connections as Linux does")
@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: "], ids=["nothing", "half a request"])
def test_connections_that_ask_for_nothing_are_closed(page, sent):
    served = page("", seconds=0.3)
    many = [socket.create_connection(("127.0.0.1", served.port), timeout=20) for _ in range(50)]
    for one in many:
        one.sendall(sent)
    began = time.monotonic()
    assert all(one.recv(1) == b"" for one in many) and time.monotonic() - began < 20
    assert ask(served.port, "/status.json")[0] == 200


def test_no_more_connections_than_that_and_a_page_that_is_watched_stays(page):
    served = page("", seconds=2.0)
    viewer = socket.create_connection(("127.0.0.1", served.port), timeout=5)
    viewer.sendall(b"GET /picture/0 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    said = b""
    while b"\r\n\r\n" not in said:
        said += viewer.recv(1000)
    assert b"200 OK" in said
    many = [socket.create_connection(("127.0.0.1", served.port), timeout=5) for _ in range(patience.MOST)]
    assert ask(served.port, "/status.json")[0] == 503
    end = time.monotonic() + 20
    while (status := ask(served.port, "/status.json")[0]) == 503 and time.monotonic() < end:
        time.sleep(0.2)
    assert status == 200
    served.picture(0, np.zeros((8, 8, 3), np.uint8))
    while b"image/jpeg" not in said:
        assert (more := viewer.recv(1000))
        said += more
    for one in [viewer, *many]:
        one.close()
