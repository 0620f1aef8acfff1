"""`ldcat witness serve` as a process, for tests over HTTP: a fork, as `ldcat serve` (services.py)."""

from __future__ import annotations

import http.client
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from tests.support.services import FORKS, SECONDS, run_ldcat


@dataclass
class Running:
    """A witness that answers at `url`. stderr: what it says after its first line."""

    process: BaseProcess
    url: str
    stderr: IO[str]

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
        self.send_signal(number)
        self.process.join(SECONDS)
        assert self.process.exitcode is not None
        return self.process.exitcode, self.stderr.read()

    def send_signal(self, number: int) -> None:
        assert self.process.pid is not None
        os.kill(self.process.pid, number)


@contextmanager
def witness(folder: Path, *arguments: str, prelude: str = "") -> Iterator[Running]:
    """Serve with `key`, the policy `logs` and the database `db` in a folder. prelude: Python code to run before."""
    places = ("--key", f"{folder}/key", "--logs", f"{folder}/logs", "--db", f"{folder}/db")
    command = ["witness", "serve", *places, "--listen", "127.0.0.1:0", *arguments]
    said, stderr = FORKS.Pipe(duplex=False)
    process = FORKS.Process(target=run_ldcat, args=(command, dict(os.environ), prelude, stderr))
    process.start()
    stderr.close()
    with said, os.fdopen(said.fileno(), closefd=False) as lines:
        try:
            first = lines.readline()
            assert first.startswith("ldcat: note: "), first + lines.read()
            yield Running(process, first.split()[-1], lines)
        finally:
            process.kill()
            process.join(SECONDS)
