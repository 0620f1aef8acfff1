"""`ldcat witness serve`: concurrent requests, misuse, and every way to end the process."""

from __future__ import annotations

import hashlib
import select
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from http.client import HTTPException
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from catalog.publish.key_files import KeyPair, new_key, write_keys
from catalog.transparency.checkpoint import Checkpoint
from catalog.transparency.keys import SignatureType, VerifierKey
from catalog.transparency.merkle import EMPTY_ROOT
from catalog.transparency.note import Note
from catalog.transparency.witness import MAX_REQUEST, AddCheckpoint, parse_cosignatures
from tests.support.cli import Run
from tests.support.forked_logs import SIZES, consistent, request, root
from tests.support.logs import LOG, ORIGIN, signed, signer
from tests.support.services import SECONDS
from tests.support.witnesses import Running, witness

KINDS = (SignatureType.COSIGNATURE_ED25519, SignatureType.COSIGNATURE_ML_DSA_44)
HASH = hashlib.sha256(ORIGIN.encode()).hexdigest()


@pytest.fixture(scope="module")
def pairs() -> list[KeyPair]:
    return [new_key("w.example", kind) for kind in KINDS]


@pytest.fixture
def keys(pairs: list[KeyPair]) -> list[VerifierKey]:
    return [pair.key for pair in pairs]


@pytest.fixture
def folder(tmp_path: Path, pairs: list[KeyPair]) -> Path:
    """The folder of a witness that was never started."""
    write_keys(tmp_path / "key", pairs, None)
    (tmp_path / "logs").write_text(f"log {LOG.key}\nquorum none\n")
    return tmp_path


@pytest.fixture
def running(folder: Path) -> Iterator[Running]:
    with witness(folder, "--create") as found:
        yield found


def test_requests_are_answered_and_recorded(folder: Path, keys: list[VerifierKey]) -> None:
    with witness(folder, "--create") as running:
        assert running.request("GET", f"/{HASH}/checkpoint")[0] == 404
        sent = request(0, 10)
        status, body, kind = running.add_checkpoint(bytes(sent))
        assert (status, kind) == (200, "text/plain; charset=utf-8")
        assert len(parse_cosignatures(body, sent.note.text, keys)) == 2
        assert running.add_checkpoint(bytes(request(0, 24))) == (409, b"10\n", "text/x.tlog.size")
        assert running.add_checkpoint(bytes(request(10, 24, tree=1)))[0] == 422
        assert running.add_checkpoint(bytes(request(24, 10)))[0] == 400
        assert running.add_checkpoint(bytes(request(10, 24)).replace(b"example.com/log\n", b"x\n"))[0] == 404
        assert running.add_checkpoint(bytes(request(10, 24)).replace(b"\n24\n", b"\n23\n"))[0] == 403
        assert running.request("GET", "/add-checkpoint")[0] == 405
        assert running.request("POST", "/add-checkpoint/", bytes(sent))[0] == 404
        status, body, _ = running.request("GET", f"/{HASH}/checkpoint")
        assert status == 200
        assert len(Note.parse(body).verify([LOG.key, *keys])) == 3
        assert running.stop() == (0, "")
    with witness(folder) as again:
        assert again.add_checkpoint(bytes(request(0, 24)))[:2] == (409, b"10\n")
        assert again.add_checkpoint(bytes(request(10, 24)))[0] == 200
        assert again.stop(signal.SIGINT) == (0, "")


def test_concurrent_requests(running: Running, keys: list[VerifierKey]) -> None:
    """Eight clients submit both forks of a log: only one fork is cosigned, and each size once."""
    cosigned: list[tuple[int, int, int]] = []

    def climb(number: int) -> None:
        tree, old = number % 2, 0
        for new in range(1, SIZES + 1):
            while old <= new:
                sent = request(old, new, tree)
                status, body, _ = running.add_checkpoint(bytes(sent))
                if status == 409:
                    old = int(body)
                    continue
                if status == 200:
                    assert parse_cosignatures(body, sent.note.text, keys)
                    cosigned.append((old, new, tree))
                    old = new
                break

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(climb, range(8)))
    assert consistent([(new, root(tree, new)) for _, new, tree in cosigned])
    grown = sorted((old, new) for old, new, _ in cosigned if old < new)
    assert [old for old, _ in grown] == [0, *(new for _, new in grown[:-1])]
    assert grown[-1][1] == SIZES


def test_killed_at_any_time(folder: Path) -> None:
    """kill -9 of the server during requests: the next process has a record of everything that was cosigned."""
    answered = [0]
    for number in range(3):
        with witness(folder, *(() if number else ("--create",))) as running:
            size = int(running.add_checkpoint(bytes(request(23, SIZES)))[1])  # it never is
            assert size in (answered[-1], answered[-1] + 1)
            some = threading.Event()

            def climb(running: Running = running, size: int = size, some: threading.Event = some) -> None:
                with suppress(OSError, HTTPException):
                    for attempt in range(1000):
                        new = min(size + 1, SIZES - 2)
                        assert running.add_checkpoint(bytes(request(size, new)))[0] == 200
                        answered.append(size := new)
                        if attempt == 2:
                            some.set()

            thread = threading.Thread(target=climb)
            thread.start()
            assert some.wait(SECONDS)
            running.process.kill()
            thread.join(SECONDS)
    assert answered == sorted(answered)


def send(running: Running, data: bytes) -> socket.socket:
    parts = urlsplit(running.url)
    connection = socket.create_connection((parts.hostname, parts.port), SECONDS)
    connection.sendall(data)
    return connection


HEAD = b"POST /add-checkpoint HTTP/1.1\r\nHost: w\r\n"
ASKING = b"GET /x HTTP/1.1\r\nHost: w\r\n\r\n"


def test_misuse_does_not_block_other_clients(running: Running) -> None:
    slow = [
        HEAD,
        HEAD + b"Content-Length: 100\r\n\r\nold",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nold",
        b"P",
        b"",
    ]
    waiting = [send(running, data) for data in slow * 20]
    for data, status in (
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc" + bytes(500), b"400"),  # the start of a TLS handshake
        (b"GET / HTTP/1.1\r\n" + b"X: " + b"x" * (1 << 17) + b"\r\n\r\n", b"431"),
        (b"nonsense\r\n\r\n", b"400"),
        (HEAD + b"Content-Length: -1\r\n\r\n", b"400"),
        (HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n", b"400"),
        (HEAD + b"Content-Length: 3\r\nConnection: close\r\n\r\nold", b"400"),
        (HEAD + b"Content-Length: 100000000\r\n\r\n" + bytes(MAX_REQUEST + 1), b"413"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n20000\r\n" + bytes(MAX_REQUEST + 1), b"413"),
    ):
        with send(running, data) as connection:
            answer = connection.recv(1000)
        assert answer.split(b" ")[1] == status, data[:80]
        assert b"Traceback" not in answer
        assert b"server:" not in answer.lower().replace(b"server: granian\r\n", b"")  # no version
    assert running.add_checkpoint(bytes(request(0, 10)))[0] == 200
    for connection in waiting:
        connection.close()
    assert running.add_checkpoint(bytes(request(10, 24)))[0] == 200
    assert running.stop() == (0, "")


def test_slow_clients_are_disconnected(folder: Path) -> None:
    shorter = (
        "from catalog.web import serving, witness_app\nserving.SILENT_SECONDS = 1; witness_app.BODY_SECONDS = 0.2\n"
    )
    with witness(folder, "--create", prelude=shorter) as running:
        with send(running, HEAD + b"Content-Length: 100\r\n\r\nold") as connection:
            assert connection.recv(1000).startswith(b"HTTP/1.1 408 ")
        for data in (b"", b"P", HEAD, ASKING):
            with send(running, data) as connection:
                while connection.recv(1000):  # until the server closes it
                    pass
        assert running.stop() == (0, "")


def test_the_number_of_connections_is_limited(folder: Path) -> None:
    """Others wait, and are answered when one of the first has ended."""
    few = "from catalog.web import serving, witness_app\nserving.SILENT_SECONDS = 1; witness_app.MAX_CONNECTIONS = 2\n"
    with witness(folder, "--create", prelude=few) as running:
        first = {send(running, HEAD), send(running, HEAD)}
        with send(running, ASKING) as third:
            ended, _, _ = select.select([*first, third], [], [], SECONDS)
            assert not first.isdisjoint(ended)
            assert third.recv(100).startswith(b"HTTP/1.1 404 ")
        for connection in first:
            connection.close()


def test_a_connection_lasts_as_long_as_it_is_used(folder: Path) -> None:
    """A client that asks again and again keeps its connection, longer than one on which nothing is sent."""
    shorter = "from catalog.web import serving\nserving.SILENT_SECONDS = 1\n"
    with witness(folder, "--create", prelude=shorter) as running, ExitStack() as kept:
        used, idle = (kept.enter_context(send(running, ASKING)) for _ in range(2))
        for connection in (used, idle):
            assert connection.recv(1000).startswith(b"HTTP/1.1 404 ")
        while not select.select([idle], [], [], 0.3)[0]:
            used.sendall(ASKING)
            assert used.recv(1000).startswith(b"HTTP/1.1 404 ")
        assert idle.recv(1000) == b""
        used.sendall(ASKING)
        assert used.recv(1000).startswith(b"HTTP/1.1 404 ")


def test_new_logs_are_added_at_sighup(folder: Path) -> None:
    """The list is read again: a log that is gone or has other keys stays, and a malformed list changes nothing."""
    new, other = signer("new.example"), signer(ORIGIN, seed=1)
    with witness(folder, "--create") as running:

        def reread(logs: str, *said: str) -> None:
            (folder / "logs").write_text(logs)
            running.send_signal(signal.SIGHUP)
            assert tuple(running.stderr.readline() for _ in said) == tuple(f"ldcat: {line}\n" for line in said)

        assert running.add_checkpoint(bytes(request(0, 10)))[0] == 200
        entry = f"vkey {new.key}\nqpd 24\ncontact ops (at) new.example\n"
        gone = f"note: is not listed any more, and still witnessed: {ORIGIN}"
        reread(f"logs/v0\n\n{entry}", "note: witnesses now new.example", gone)
        assert running.add_checkpoint(bytes(request(10, 24)))[0] == 200
        assert running.request("GET", f"/{hashlib.sha256(b'new.example').hexdigest()}/checkpoint")[0] == 404
        sent = AddCheckpoint(0, (), signed(str(Checkpoint("new.example", 0, EMPTY_ROOT)), new))
        assert running.add_checkpoint(bytes(sent))[0] == 200
        reread("logs/v0\nqpd 24\n", "error: line 2 of the list of logs: 'qpd' is not expected here",
               "hint: vkey, origin if it differs, qpd, contact")  # fmt: skip
        assert running.add_checkpoint(bytes(sent))[0] == 200
        reread(
            f"log {other.key}\nquorum none\n",
            "note: is not listed any more, and still witnessed: new.example",
            f"note: is listed with other keys, which count after a restart: {ORIGIN}",
        )
        assert running.add_checkpoint(bytes(request(24, 24)))[0] == 200
        assert running.stop() == (0, "")


def test_failures_are_logged_and_not_sent_to_clients(folder: Path, running: Running) -> None:
    assert running.add_checkpoint(bytes(request(0, 10)))[0] == 200
    (folder / "db").write_bytes(b"no database at all\n" * 300)
    assert running.add_checkpoint(bytes(request(10, 24))) == (
        500,
        b"the witness cannot answer now\n",
        "text/plain; charset=utf-8",
    )
    code, err = running.stop()
    assert code == 0
    assert err.startswith(f"ldcat: error: {folder}/db is not a witness database, or damaged")
    assert "Traceback" not in err


def test_an_internal_error_is_one_line(folder: Path) -> None:
    broken = (
        "from catalog.transparency.witness import Witness\n"
        "Witness.add_checkpoint = lambda *arguments: 1 / 0  # type: ignore\n"
    )
    with witness(folder, "--create", prelude=broken) as running:
        assert running.add_checkpoint(bytes(request(0, 10)))[:2] == (500, b"the witness cannot answer now\n")
        code, err = running.stop()
    assert code == 0
    assert err.splitlines()[0] == "ldcat: error: internal error: ZeroDivisionError: division by zero"
    assert len(err.splitlines()) == 2


@pytest.mark.parametrize(
    ("arguments", "code", "part"),
    [
        (("--listen", "127.0.0.1"), 2, "not an address to listen at"),
        (("--listen", ":8080"), 2, "not an address to listen at"),
        (("--listen", "127.0.0.1:65536"), 2, "not an address to listen at"),
        (("--listen", "a..b:0"), 5, "cannot listen at a..b:0"),
        (("--listen", "192.0.2.1:0"), 5, "cannot listen at 192.0.2.1:0"),
        (("--listen", "127.0.0.1:{busy}"), 5, "cannot listen at 127.0.0.1"),
        (("--logs", "{tmp}/nowhere"), 5, "nowhere"),
        (("--logs", "{tmp}/key"), 3, "trust policy"),
        (("--logs", "{tmp}/none"), 2, "no log to witness"),
        (("--key", "{tmp}/log"), 2, "not cosignature keys"),
        (("--key", "{tmp}/nowhere"), 5, "nowhere"),
        (("--db", "{tmp}/none", "--create"), 2, "exists already"),
        (("--db", "{tmp}/none"), 3, "is not a witness database, or damaged"),
        ((), 5, "no witness database"),
    ],
)
def test_invalid_arguments_are_refused(
    run: Run, folder: Path, arguments: tuple[str, ...], code: int, part: str
) -> None:
    (folder / "none").write_text("quorum none\n")
    write_keys(folder / "log", [new_key(ORIGIN, SignatureType.ED25519)], None)
    given = {"--key": "{tmp}/key", "--logs": "{tmp}/logs", "--db": "{tmp}/db", "--listen": "127.0.0.1:0"}
    given |= dict(zip(arguments[::2], arguments[1::2], strict=False))
    flags = [name for name in arguments if name == "--create"]
    with socket.create_server(("127.0.0.1", 0)) as busy:
        places = {"tmp": str(folder), "busy": busy.getsockname()[1]}
        options = [part.format(**places) for pair in given.items() for part in pair]
        got, out, err = run("witness", "serve", *options, *flags)
    assert (got, out) == (code, "")
    assert err.startswith("ldcat: error: ")
    assert part in err
    assert "internal error" not in err
    assert not (folder / "db").exists()


@pytest.mark.parametrize("module", ["granian", "starlette"])
def test_without_the_extra(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    places = ("--key", f"{folder}/key", "--logs", f"{folder}/logs", "--db", f"{folder}/db", "--listen", "127.0.0.1:0")
    code, out, err = run("witness", "serve", *places, "--create")
    assert (code, out) == (2, "")
    assert err == f"ldcat: error: serving needs the package {module}\nldcat: hint: pip install 'ldcat[serve]'\n"
