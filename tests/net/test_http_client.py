"""The HTTP client: one deadline for slow hosts, limits on what precedes the body, and no unrequested host."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from catalog.errors import Unreadable
from catalog.net import http_client, static_host
from catalog.net.host_url import PlainHttp, Server
from catalog.net.http_client import Deadline
from catalog.net.http_post import post
from catalog.net.no_answer import Hangs, NoAnswer
from catalog.net.static_host import StaticHost
from tests.support.cli import Run
from tests.support.drips import CHUNKED, DRIPS, OK, SECONDS, dripping, in_time
from tests.support.hosts import answer, serving
from tests.support.published_logs import Place

Ask = Callable[[str], bytes]


@pytest.fixture(params=["GET", "POST"])
def ask(request: pytest.FixtureRequest) -> Ask:
    """Each kind of request: GET of a file of at most 1000 bytes, and POST to a witness."""

    def get(url: str) -> bytes:
        return StaticHost.parse(url).read("file", 1000)

    return get if request.param == "GET" else lambda url: post(f"{url}/file", b"asked", 1000).body


@pytest.fixture(autouse=True)
def asked_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(static_host, "_PAUSES", ())
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short timeouts for hosts that hang; other tests keep the usual ones, which busy machines may need."""
    monkeypatch.setattr(http_client, "HEAD_SECONDS", 0.2)
    monkeypatch.setattr(http_client, "WHOLE_SECONDS", 0.4)
    monkeypatch.setattr(http_client, "SLOWEST", 1 << 40)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("what", DRIPS)
def test_a_slow_host_is_abandoned_at_the_deadline(ask: Ask, what: str) -> None:
    with dripping(*DRIPS[what]) as host, pytest.raises(Hangs, match=r"127.0.0.1 hangs: no (whole|head of an) answer"):
        in_time(lambda: ask(host.url), host.let_go)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("at_once", "then"),
    [(b"", b""), (b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc\x03\x03", b"\x00")],
    ids=["silence", "a server hello"],
)
def test_a_slow_tls_handshake_is_abandoned_at_the_deadline(ask: Ask, at_once: bytes, then: bytes) -> None:
    with dripping(at_once, then, hears=False) as host, pytest.raises(Hangs, match="no head of an answer"):
        in_time(lambda: ask(f"https://127.0.0.1:{host.port}"), host.let_go)


@pytest.mark.usefixtures("impatient")
def test_a_host_that_does_not_read_the_request_is_abandoned() -> None:
    with dripping(b"", b"", hears=False) as host, pytest.raises(Hangs):
        in_time(lambda: post(host.url, bytes(32 << 20), 1000), host.let_go)


class Resolver:
    """Never answers for slow.example until it is released."""

    def __init__(self) -> None:
        self.let_go, self.asked = threading.Event(), 0
        self._real = socket.getaddrinfo

    def __call__(self, name: str, port: int, **how: Any) -> Any:
        if name == "slow.example":
            self.asked += 1
            self.let_go.wait(SECONDS)
            name = "127.0.0.1"
        return self._real(name, port, **how)


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Resolver]:
    found = Resolver()
    monkeypatch.setattr(socket, "getaddrinfo", found)
    yield found
    found.let_go.set()


@pytest.mark.usefixtures("impatient")
def test_a_hanging_resolver_is_abandoned_and_does_not_block_others(ask: Ask, resolver: Resolver) -> None:
    with serving(Path(), right_here) as port:
        url = f"https://slow.example:{port}"
        for _ in range(3):
            with pytest.raises(Hangs, match=r"slow\.example hangs: no head of an answer in 0\.2 seconds"):
                in_time(lambda: ask(url), resolver.let_go if resolver.asked > 1 else threading.Event())
            resolver_threads = [one for one in threading.enumerate() if one.name == "resolve slow.example"]
            assert len(resolver_threads) == resolver.asked == 1  # the next one waits for the same lookup
        assert StaticHost.parse(f"http://127.0.0.1:{port}").read("file", 1000) == b"here"


def right_here(handler: Any, root: Path) -> None:
    answer(handler, 200, b"here")


LARGE = b"X: " + b"x" * http_client.MAX_HEAD + b"\r\n"


@pytest.mark.parametrize(
    ("answer", "part"),
    [
        (OK + LARGE + b"\r\nbody", "the head of the answer has more than 65536 bytes"),
        (OK + LARGE * 2, "the head of the answer has more than 65536 bytes"),
        (b"HTTP/1.1 200 " + b"O" * 200_000, "the head of the answer has more than 65536 bytes"),
        (OK + b"X: y\r\n" * 20_000, "the head of the answer has more than 65536 bytes"),
        (
            (b"HTTP/1.1 103 E\r\nX: " + b"x" * 9000 + b"\r\n\r\n") * 9,
            "the head of the answer has more than 65536 bytes",
        ),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 17, "more than 16 interim answers"),
        (b"HTTP/1.1 103 E\r\n\r\n" * 100_000, "more than 16 interim answers|more than 65536 bytes"),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", "not HTTP"),
        (b"SSH-2.0-OpenSSH_10\r\n\r\n", "not HTTP"),
        (OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n", "not HTTP"),
        (OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n", "not HTTP"),
        (OK + b"Content-Length: -1\r\n\r\n", "not HTTP"),
        (CHUNKED + b"x\r\n", "not HTTP"),
        (CHUNKED + b"f" * 21 + b"\r\n", "not HTTP"),
        (CHUNKED + b"1\r\n.\r\n0\r\n" + LARGE * 2, "not HTTP"),
    ],
)
def test_heads_and_chunk_headers_are_limited(ask: Ask, answer: bytes, part: str) -> None:
    with dripping(answer, b"") as host, pytest.raises(NoAnswer, match=f"127.0.0.1 does not answer: .*({part})"):
        in_time(lambda: ask(host.url), host.let_go)


@pytest.mark.parametrize(
    "cut", [b"", b"HTTP/1.1 2", OK, OK + b"Content-Length: 9\r\n\r\n12345678", CHUNKED + b"9\r\n1"]
)
def test_a_truncated_answer(cut: bytes) -> None:
    def serve(handler: Any, root: Path) -> None:
        handler.wfile.write(cut)

    with serving(Path(), serve) as port, pytest.raises(NoAnswer, match="the connection was closed before the end"):
        StaticHost.parse(f"http://127.0.0.1:{port}").read("file", 1000)


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 16 + OK + b"Content-Length: 4\r\n\r\nhere", b"here"),
        (CHUNKED + b"2;x=y\r\nhe\r\n2\r\nre\r\n0\r\nX: y\r\n\r\n", b"here"),
        (b"HTTP/1.1 200\r\ncontent-length:4\r\n\r\nhere and more", b"here"),
        (OK + b"X: " + b"x" * 60_000 + b"\r\nContent-Length: 0\r\n\r\n", b""),
    ],
)
def test_valid_answers_are_read(ask: Ask, answer: bytes, body: bytes) -> None:
    with dripping(answer, b"") as host:
        assert in_time(lambda: ask(host.url), host.let_go) == body


def test_reading_stops_at_the_limit() -> None:
    """The connection to a host that keeps sending is closed once there are more bytes than allowed."""
    with dripping(OK + b"\r\n" + bytes(1001), b".") as host, pytest.raises(Unreadable, match="more than 1000 bytes"):
        in_time(lambda: post(host.url, b"asked", 1000), host.let_go)


@pytest.mark.usefixtures("impatient")
def test_retries_share_one_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(static_host, "_PAUSES", (0.0,) * 1000)
    monkeypatch.setattr(http_client, "HEAD_SECONDS", 0.1)
    with dripping(b"", b"") as host:
        with pytest.raises(Hangs):
            in_time(lambda: StaticHost.parse(host.url).read("file", 1000), host.let_go)
        assert 1 < len(host.requests) < 8  # each of which takes a quarter of the total time
    monkeypatch.setattr(static_host, "_PAUSES", (0.5, 2.0))
    with dripping(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", b"") as host:
        with pytest.raises(Unreadable, match="status 503"):
            in_time(lambda: StaticHost.parse(host.url).read("file", 1000), host.let_go)
        assert len(host.requests) == 1  # there is no time for a pause


@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"])
def test_proxies_of_the_environment_are_ignored(ask: Ask, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with dripping(OK + b"Content-Length: 5\r\n\r\nproxy", b"") as proxy:
        monkeypatch.setenv(variable, proxy.url)
        with dripping(OK + b"Content-Length: 4\r\n\r\nhere", b"") as host:
            assert in_time(lambda: ask(host.url), host.let_go, proxy.let_go) == b"here"
        assert proxy.requests == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(status: int) -> None:
    answer = b"HTTP/1.1 %d Elsewhere\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n" % status
    with dripping(answer, b"") as host:
        with pytest.raises(Unreadable, match="a redirection to /other, which is not followed"):
            StaticHost.parse(host.url).read("file", 1000)
        assert post(f"{host.url}/file", b"asked", 1000).status == status
    assert [request.split(b" ")[1] for request in host.requests] == [b"/file", b"/file"]


@pytest.mark.parametrize("url", ["http://192.0.2.1/", "http://example.com/", "http://127.0.0.1.example.com/"])
def test_plain_http_does_not_leave_this_machine(ask: Ask, resolver: Resolver, url: str) -> None:
    with pytest.raises(PlainHttp, match="only https is, and http on this machine"):
        ask(url)
    assert Server.parse(url, anywhere=True)[0].anywhere
    assert resolver.asked == 0


def test_localhost_is_not_resolved(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 80))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *arguments, **how: found)
    with pytest.raises(NoAnswer, match="localhost does not answer: that is not this machine"):
        ask("http://localhost")


def test_the_next_address_is_tried(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.getaddrinfo

    def two(name: str, port: int, **how: Any) -> Any:
        return [one for number in (1, port) for one in real("127.0.0.1", number, **how)]

    monkeypatch.setattr(socket, "getaddrinfo", two)
    with dripping(OK + b"Content-Length: 4\r\n\r\nhere", b"") as host:
        assert in_time(lambda: ask(f"http://localhost:{host.port}"), host.let_go) == b"here"


def test_the_request_that_is_sent() -> None:
    with dripping(OK + b"Content-Length: 0\r\n\r\n", b"") as host:
        StaticHost.parse(f"{host.url}/logs/").read("a/file", 10)
        post(f"{host.url}/w/add-checkpoint", b"asked", 10)
    get, posted = ([line.lower() for line in request.decode().split("\r\n")] for request in host.requests)
    assert get[0] == "get /logs/a/file http/1.1"
    assert {f"host: 127.0.0.1:{host.port}", "accept-encoding: identity"} <= set(get)
    assert "connection: close" not in get
    assert posted[0] == "post /w/add-checkpoint http/1.1"
    assert {"content-type: text/plain; charset=utf-8", "content-length: 5", "connection: close"} <= set(posted)


def test_an_expired_deadline() -> None:
    with dripping(OK + b"Content-Length: 0\r\n\r\n", b"") as host, pytest.raises(Hangs):
        post(host.url, b"asked", 10, deadline=Deadline.after(0))
    assert host.requests == []


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("what", DRIPS)
def test_monitor_reports_a_hanging_host(run: Run, place: Place, what: str) -> None:
    with dripping(*DRIPS[what]) as host:
        look = ("monitor", host.url, "--trust", str(place.trust), "-f", "json")
        code, out, err = in_time(lambda: run(*look), host.let_go)
    assert code == 5
    assert "127.0.0.1 hangs: no " in err
    error = json.loads(out)["error"]
    assert (error["exit_code"], "hangs" in error["message"]) == (5, True)
