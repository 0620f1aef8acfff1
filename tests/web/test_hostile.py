"""Malicious clients: each is refused or disconnected, and all others are answered meanwhile."""

from __future__ import annotations

import json
import resource
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from catalog.build.builder import BuildResult
from tests.support.services import SECONDS, Service, connected, resident, service

GET = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"
SOON = 2.0
"""Seconds within which others are answered, on a busy machine."""


def received(connection: socket.socket) -> bytes:
    """Everything received until the other side closes the connection."""
    found = b""
    try:
        while part := connection.recv(1 << 16):
            found += part
    except ConnectionError:
        pass
    return found


def others_are_answered(served: Service) -> None:
    begun = time.monotonic()
    assert served.ask("/healthz")[0] == 200
    assert time.monotonic() - begun < SOON


@pytest.fixture(scope="module")
def impatient(small: BuildResult, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with short timeouts."""
    prelude = (
        "from catalog.web import bodies, serving\n"
        "bodies.BODY_SECONDS = 0.5; bodies.MAX_HELD = 4 << 20\nserving.SILENT_SECONDS = 1\nserving.GRACE_SECONDS = 1"
    )
    with service(tmp_path_factory.mktemp("home"), small.folder, prelude=prelude, fresh=True) as found:
        yield found


@pytest.mark.parametrize("sent", [b"", b"G", GET, GET + b"\r\n", GET + b"X-Long: "])
def test_a_thousand_silent_connections(impatient: Service, sent: bytes) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 4096) if hard == -1 else min(max(soft, 4096), hard), hard))
    with ExitStack() as kept:
        for _ in range(1000):
            kept.enter_context(connected(impatient, sent))
        for _ in range(5):
            others_are_answered(impatient)
    others_are_answered(impatient)


def test_with_few_file_descriptors_others_wait_and_are_answered(small: BuildResult, tmp_path: Path) -> None:
    prelude = (
        "import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, (300, 300))\n"
        "from catalog.web import serving\nserving.SILENT_SECONDS = 1"
    )
    with service(tmp_path, small.folder, prelude=prelude) as few, ExitStack() as kept:
        for _ in range(500):
            kept.enter_context(connected(few, GET))
        assert few.ask("/healthz")[0] == 200
        assert few.ask("/d/" + "0" * 96)[0] == 200


@pytest.mark.parametrize(
    "sent", [b"G", GET, GET + b"\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, *bytes(5)])]
)
def test_a_silent_connection_is_closed(impatient: Service, sent: bytes) -> None:
    with connected(impatient, sent) as connection:
        begun = time.monotonic()
        received(connection)
        assert time.monotonic() - begun < SECONDS / 2


def test_a_slow_body(impatient: Service) -> None:
    head = b"POST /v1/report HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"
    with connected(impatient, head) as connection:
        others_are_answered(impatient)
        found = received(connection)
    assert found.startswith(b"HTTP/1.1 408 ")
    assert json.loads(found.partition(b"\r\n\r\n")[2])["status"] == 408


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 1099511627776\r\n\r\n" + bytes(2 << 20),
        b"Transfer-Encoding: chunked\r\n\r\n" + b"10000\r\n" + bytes(0x10000) + b"\r\n",
    ],
)
def test_a_body_that_is_too_large(impatient: Service, head: bytes) -> None:
    with connected(impatient) as connection:
        try:
            connection.sendall(b"POST /v1/report HTTP/1.1\r\nHost: x\r\n" + head)
            for _ in range(40 if b"chunked" in head else 0):
                connection.sendall(b"10000\r\n" + bytes(0x10000) + b"\r\n")
        except ConnectionError:  # it is not read to the end
            pass
        found = received(connection)
    assert found == b"" or found.startswith((b"HTTP/1.1 413 ", b"HTTP/1.1 408 "))  # or it was too slow
    others_are_answered(impatient)


def test_many_concurrent_bodies_take_little_memory(impatient: Service) -> None:
    head = b"POST /v1/report HTTP/1.1\r\nHost: x\r\nContent-Length: 900000\r\n\r\n"
    with ExitStack() as kept:
        many = [kept.enter_context(connected(impatient)) for _ in range(12)]
        for one in many:
            with suppress(ConnectionError):
                one.sendall(head + bytes(899_999))
        found = [received(one)[:12] for one in many]
    assert set(found) <= {b"HTTP/1.1 408", b"HTTP/1.1 503", b""}
    assert b"HTTP/1.1 503" in found
    assert impatient.ask("/v1/report", method="POST", body=b"0" * 96)[0] == 200


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET  HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: nonsense\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * (1 << 20) + b"\r\n\r\n",
        b"GET /" + b"a" * (1 << 20) + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"X: 1\r\n" * 10_000 + b"\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 100,
    ],
)
def test_invalid_requests_are_refused(impatient: Service, sent: bytes) -> None:
    with connected(impatient) as connection:
        with suppress(ConnectionError):
            connection.sendall(sent)
        found = received(connection)
    assert b" 200 " not in found[:20]
    others_are_answered(impatient)


@pytest.mark.parametrize(
    "path",
    [
        "/releases/../../../../etc/passwd",
        "/releases/1/../../checkpoint",
        "/releases/1/%2e%2e/%2e%2e/checkpoint",
        "/releases/1/..%2f..%2fcheckpoint",
        "/releases//etc/passwd",
        "/releases/1//etc/passwd",
        "/releases/1/.ldcat-lock",
        "/releases/1/%00",
        "/releases/1/manifest.json%00",
        "/releases/1/manifest.json/",
        "/releases/01/\\..\\manifest.json",
        "/tile/0/../../checkpoint",
        "/tile/0/000/../../../checkpoint",
        "/tile/0/%2e%2e/000",
        "/tile/99999/000",
        "/range/2/../../checkpoint",
        "/range/2/.%2e",
        "/range/../checkpoint",
        "/range/-1",
        "/assets/../checkpoint",
        "/builds/../../../etc/passwd",
        "//etc/passwd",
        "/.ldcat-lock",
        "/d/" + "0" * 10_000,
        "/d/%ff%fe",
        "/d/" + "%F0%9F%98%80" * 24,
        "/d/..%2f..%2fetc%2fpasswd.json",
        "/diff/" + "9" * 5000 + "...1",
        "/diff/1...%31",
        "/%",
        "/%zz",
        "/\xff",
    ],
)
def test_invalid_paths(served: Service, path: str) -> None:
    request = f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode("latin-1")
    with connected(served, request) as connection:
        head, _, body = received(connection).partition(b"\r\n\r\n")
    status = int(head.split(b" ")[1])
    assert 400 <= status < 500 or path == "/diff/1...%31", head
    assert b"root:" not in body
    assert not any("internal error" in line or "Traceback" in line for line in served.log_lines)


def test_a_link_in_the_log_is_not_followed(tmp_path: Path, small: BuildResult) -> None:
    from tests.support.published_logs import cosigned_today

    folder = tmp_path / "place"
    folder.mkdir()
    place = cosigned_today(folder, small)
    (tmp_path / "secret").write_text("secret")
    (place.log / "releases/1/link").symlink_to(tmp_path / "secret")
    with service(tmp_path, place.log, "--trust", place.trust) as found:
        assert found.ask("/releases/1/manifest.json")[0] == 200
        assert found.ask("/releases/1/link")[0] == 404


def test_a_slow_reader_does_not_delay_others(impatient: Service) -> None:
    with ExitStack() as kept:
        for _ in range(50):
            kept.enter_context(connected(impatient, b"GET /builds HTTP/1.1\r\nHost: x\r\n\r\n" * 20))
        others_are_answered(impatient)


def test_memory_is_bounded_for_every_request(impatient: Service) -> None:
    before = resident(impatient)
    connection = impatient.connection()
    for number in range(3000):
        connection.request("GET", f"/d/{number:064x}")
        assert connection.getresponse().read()
    connection.close()
    assert resident(impatient) - before < 64 << 20
