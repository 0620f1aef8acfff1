"""`ldcat witness serve` as a process, for tests over HTTP."""

from __future__ import annotations

import http.client
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).parent.parent.parent
SECONDS = 30
"""Timeout after which a hanging server fails a test; no test waits for it to pass."""


@dataclass
class Running:
    """A witness that answers at `url`."""

    process: subprocess.Popen[str]
    url: str

    def request(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes, str]:
        """Status, body and content type of an answer."""
        parts = urlsplit(self.url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=SECONDS)
        try:
            connection.request(method, path, body)
            answer = connection.getresponse()
            return answer.status, answer.read(), answer.headers["Content-Type"]
        finally:
            connection.close()

    def add_checkpoint(self, body: bytes) -> tuple[int, bytes, str]:
        return self.request("POST", "/add-checkpoint", body)

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        """Stop the witness; returns its exit code and its output after the first line."""
        self.process.send_signal(number)
        _, err = self.process.communicate(timeout=SECONDS)
        return self.process.returncode, err


@contextmanager
def witness(folder: Path, *arguments: str, prelude: str = "") -> Iterator[Running]:
    """Serve with `key`, the policy `logs` and the database `db` in a folder. prelude: Python code to run before."""
    program = f"{prelude}\nfrom catalog.cli.main import main\nmain()"
    places = ("--key", f"{folder}/key", "--logs", f"{folder}/logs", "--db", f"{folder}/db")
    command = [sys.executable, "-c", program, "witness", "serve", *places, "--listen", "127.0.0.1:0", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stderr is not None
        first = process.stderr.readline()
        assert first.startswith("ldcat: note: "), first + process.stderr.read()
        running = Running(process, first.split()[-1])
        try:
            yield running
        finally:
            process.kill()
