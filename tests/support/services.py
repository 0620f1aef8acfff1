"""`ldcat serve` as a process, for tests over HTTP; and the log that it serves."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(__file__).parent.parent.parent
SECONDS = 30
"""Timeout after which a hanging server fails a test; no test waits for it to pass."""


@dataclass
class Service:
    """A service that answers at `url`. log_lines: lines of its stderr."""

    process: subprocess.Popen[str]
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
            assert self.process.poll() is None, self.log_lines
            time.sleep(0.02)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Stop the service; returns its exit code."""
        self.process.send_signal(number)
        return self.process.wait(SECONDS)


@contextmanager
def service(home: Path, *arguments: str | Path, prelude: str = "") -> Iterator[Service]:
    """home: where it keeps its state. prelude: Python code to run before it starts."""
    program = f"{prelude}\nfrom catalog.cli.main import main\nif __name__ == '__main__': main()"
    command = [sys.executable, "-c", program, "serve", "--listen", "127.0.0.1:0", *map(str, arguments)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LDCAT_")}
    homes = {f"XDG_{name}_HOME": str(home / name.lower()) for name in ("STATE", "CACHE", "DATA")}
    with subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**environment, **homes},
    ) as process:
        found = Service(process, "")
        reader = threading.Thread(target=_read, args=(found,))
        reader.start()
        try:
            found.until("serves at ")
            found.url = next(line for line in found.log_lines if "serves at " in line).split()[-1]
            yield found
        finally:
            process.kill()
            reader.join(SECONDS)


def _read(found: Service) -> None:
    assert found.process.stderr is not None
    for line in found.process.stderr:
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
