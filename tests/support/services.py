"""`ldcat serve` as a process, for tests over HTTP.

It is a fork of a process that has loaded it: else most of its time is spent on loading. For tests of memory, and of how
it is loaded, it is started afresh.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(__file__).parent.parent.parent
SECONDS = 30
"""Timeout after which a hanging server fails a test; no test waits for it to pass."""

FORKS, _FRESH = get_context("forkserver"), get_context("spawn")
FORKS.set_forkserver_preload(["tests.support.loaded_service"])


@dataclass
class Service:
    """A service that answers at `url`. log_lines: lines of its stderr."""

    process: BaseProcess
    url: str
    log_lines: list[str] = field(default_factory=list)

    def ask(
        self, path: str, *, method: str = "GET", body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, bytes, http.client.HTTPMessage]:
        """Status, body and headers of an answer."""
        connection = self.connection()
        try:
            connection.request(method, path, body, dict(headers or {}))
            answer = connection.getresponse()
            return answer.status, answer.read(), answer.headers
        finally:
            connection.close()

    def json(self, path: str, value: Any = None) -> Any:
        """The JSON of an answer with status 200; value: posted as JSON."""
        body = None if value is None else json.dumps(value).encode()
        status, text, headers = self.ask(path, method="POST" if body else "GET", body=body)
        assert (status, headers["Content-Type"]) == (200, "application/json"), text
        return json.loads(text)

    def connection(self) -> http.client.HTTPConnection:
        parts = urlsplit(self.url)
        return http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=SECONDS)

    @property
    def address(self) -> tuple[str, int]:
        parts = urlsplit(self.url)
        return parts.hostname or "", parts.port or 0

    def until(self, what: str) -> None:
        """Wait until a line of its stderr contains a text."""
        end = time.monotonic() + SECONDS
        while not any(what in line for line in self.log_lines):
            assert time.monotonic() < end, (what, self.log_lines)
            assert self.process.is_alive(), self.log_lines
            time.sleep(0.02)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Stop the service; returns its exit code."""
        self.send_signal(number)
        self.process.join(SECONDS)
        assert self.process.exitcode is not None, self.log_lines
        return self.process.exitcode

    def send_signal(self, number: int) -> None:
        assert self.process.pid is not None
        os.kill(self.process.pid, number)


@contextmanager
def service(home: Path, *arguments: str | Path, prelude: str = "", fresh: bool = False) -> Iterator[Service]:
    """home: where it keeps its state. prelude: Python code to run before it starts. fresh: whether it is no fork."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LDCAT_")}
    environment |= {f"XDG_{name}_HOME": str(home / name.lower()) for name in ("STATE", "CACHE", "DATA")}
    context = _FRESH if fresh else FORKS
    said, stderr = context.Pipe(duplex=False)
    command = ["serve", "--listen", "127.0.0.1:0", *map(str, arguments)]
    process = context.Process(target=run_ldcat, args=(command, environment, prelude, stderr))
    process.start()
    stderr.close()
    found = Service(process, "")
    reader = threading.Thread(target=_read, args=(found, said))
    reader.start()
    try:
        found.until("serves at ")
        found.url = next(line for line in found.log_lines if "serves at " in line).split()[-1]
        yield found
    finally:
        process.kill()
        process.join(SECONDS)
        reader.join(SECONDS)


def run_ldcat(arguments: list[str], environment: dict[str, str], prelude: str, stderr: Connection) -> None:
    """Run a service in this process; ends it."""
    with stderr:
        os.dup2(stderr.fileno(), 2)
    sys.stdout = sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
    os.chdir(ROOT)
    os.environ.clear()
    os.environ.update(environment)
    exec(prelude, {})
    from catalog.cli.main import main

    main(arguments)


def _read(found: Service, said: Connection) -> None:
    with os.fdopen(said.fileno(), closefd=False) as lines, said:
        for line in lines:
            found.log_lines.append(line.rstrip("\n"))


@contextmanager
def connected(served: Service, sent: bytes = b"") -> Iterator[socket.socket]:
    with socket.create_connection(served.address, timeout=SECONDS) as connection:
        connection.sendall(sent)
        yield connection


def resident(served: Service) -> int:
    """Resident memory in bytes."""
    for line in Path(f"/proc/{served.process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) << 10
    raise AssertionError("the process has gone")
