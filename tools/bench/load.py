"""How many requests a second a version of the service answers: its four kinds of lookups, asked over HTTP."""

from __future__ import annotations

import json
import re
import signal
import socket
import struct
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

CONNECTIONS = 32
SECONDS = 2
START_SECONDS = 60
BATCH = 1_000  # digests: as many as one request to /v1/lookup may have


@dataclass(frozen=True)
class Load:
    """unit: what is counted; one request is `each` of it. answer: is in the body of every answer."""

    name: str
    unit: str
    requests: Sequence[bytes]
    answer: bytes
    each: int = 1


def loads(digests: Sequence[str]) -> list[Load]:
    """digests: of SEV-SNP, all of them served."""
    batches = [json.dumps({"digests": digests[at : at + BATCH]}).encode() for at in range(0, len(digests), BATCH)]
    reports = [report(bytes.fromhex(digest)) for digest in digests[:BATCH]]
    return [
        Load("a hit", "requests/s", [_get(f"/d/{digest}.json") for digest in digests], b'"found":true'),
        Load("a miss", "requests/s", [_get(f"/d/{n:096x}.json") for n in range(len(digests))], b'"found":false'),
        Load("a report", "requests/s", [_post("/v1/report", body) for body in reports], b'"found":true'),
        Load("batches", "lookups/s", [_post("/v1/lookup", body) for body in batches], b'"found":true', BATCH),
    ]


def rate(load: Load, command: Sequence[str], environment: dict[str, str], log: Path) -> float:
    """Start a service, and measure it. command: without its --listen. log: file of what it says on stderr.

    Each of several connections waits for its answer before it asks again. The client has one thread, which takes less
    time for a request than the service does.
    """
    with _served(command, environment, log) as port:
        connections = [socket.create_connection(("127.0.0.1", port)) for _ in range(CONNECTIONS)]
        started, sent = time.perf_counter(), 0
        while (seconds := time.perf_counter() - started) < SECONDS:
            for connection in connections:
                connection.sendall(load.requests[sent % len(load.requests)])
                sent += 1
            for connection in connections:
                _read_answer(connection, load.answer)
        for connection in connections:
            connection.close()
    return sent * load.each / seconds


def report(digest: bytes) -> bytes:
    """An unsigned attestation report of a Milan guest, version 3."""
    made = bytearray(1184)
    struct.pack_into("<IIQ", made, 0, 3, 1, 0x30000)
    struct.pack_into("<II", made, 0x30, 0, 1)
    made[0x90 : 0x90 + len(digest)] = digest
    made[0x188:0x18B] = bytes([0x19, 0x01, 0x01])
    return bytes(made)


def _get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n".encode()


def _post(path: str, body: bytes) -> bytes:
    kind = "application/json" if body.startswith(b"{") else "application/octet-stream"
    head = f"POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def _read_answer(connection: socket.socket, expected: bytes) -> None:
    data = b""
    while True:
        received = connection.recv(1 << 20)
        data += received
        head, complete, body = data.partition(b"\r\n\r\n")
        length = re.search(rb"\r\ncontent-length: *(\d+)", head, re.IGNORECASE)
        if complete and length and len(body) >= int(length[1]):
            if expected in body:
                return
            received = b""
        if not received:
            raise SystemExit(f"bench: {expected!r} is not in the answer of the service: {data[:1000]!r}")


@contextmanager
def _served(command: Sequence[str], environment: dict[str, str], log: Path) -> Iterator[int]:
    """The port of a service, once it is ready."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    listening = [*command, "--listen", f"127.0.0.1:{port}"]
    with log.open("wb") as stderr_file, subprocess.Popen(listening, stderr=stderr_file, env=environment) as server:
        try:
            _wait_until_ready(port, server, log)
            yield port
        finally:
            server.send_signal(signal.SIGTERM)


def _wait_until_ready(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while server.poll() is None and time.monotonic() < until:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=START_SECONDS):
                return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.05)
    raise SystemExit(f"bench: the service does not start: {log.read_text()}")
