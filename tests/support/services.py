"""`ldcat serve` as a process, for tests that ask it over HTTP; and the log that it serves."""

from __future__ import annotations

import http.client
import json
import os
import signal
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

from catalog.build.builder import BuildResult
from catalog.log.log_folder import LastCheckpoint, LogFolder
from catalog.log.records import RevokeRecord
from catalog.publish.publish import publish
from catalog.store.catalog import Catalog
from catalog.transparency.keys import SignatureType
from catalog.transparency.note import Note
from tests.diff.test_diff import rows_of
from tests.support.logs import signature, signed, signer

ROOT = Path(__file__).parent.parent.parent
SECONDS = 30
"""No test waits for these to pass: a server that hangs fails by them."""

ORIGIN = "example.com/log"
LOG = signer(ORIGIN)
PQ_LOG = signer(ORIGIN, SignatureType.COSIGNATURE_ML_DSA_44)
WITNESS = signer("w.example", SignatureType.COSIGNATURE_ED25519)


class Place:
    """A folder with a log of today, cosigned by a witness, and a trust note that wants both."""

    def __init__(self, folder: Path, built: BuildResult) -> None:
        self.log, self.trust, self.now = folder / "log", folder / "trust.note", int(time.time()) - 1000
        self._built, self._state = built, LastCheckpoint(folder / "signed.note")
        root = signer("root.example")
        head = f"version 1\nexpires {self.now + 10**7}\nmax-age 86400\nthreshold 1\nroot a {root.key}\n\n"
        policy = f"log {LOG.key}\nlog {PQ_LOG.key}\nwitness w {WITNESS.key}\ngroup all all w\nquorum all\n"
        self.trust.write_bytes(bytes(signed(head + policy, root)))
        self.publish()

    def publish(self, *revokes: RevokeRecord, built: BuildResult | None = None) -> None:
        self.now += 1
        log, catalog = LogFolder(self.log), Catalog.open((built or self._built).folder)
        publish(catalog, log, [LOG, PQ_LOG], self._state, revokes=revokes, now=self.now)
        self.cosign()

    def cosign(self) -> None:
        """As a witness does, which has seen the log grow."""
        note = Note.parse((self.log / "checkpoint").read_bytes())
        cosigned = note.with_signatures([signature(WITNESS, note.text, self.now)])
        (self.log / "checkpoint.new").write_bytes(bytes(cosigned))
        (self.log / "checkpoint.new").rename(self.log / "checkpoint")


@dataclass
class Service:
    """One that answers at `url`. said: lines of its stderr."""

    process: subprocess.Popen[str]
    url: str
    said: list[str] = field(default_factory=list)

    def ask(
        self, path: str, *, method: str = "GET", body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, bytes, http.client.HTTPMessage]:
        """Status, body, headers."""
        connection = self.connection()
        try:
            connection.request(method, path, body, dict(headers or {}))
            answer = connection.getresponse()
            return answer.status, answer.read(), answer.headers
        finally:
            connection.close()

    def json(self, path: str, value: Any = None) -> Any:
        """What is answered with 200; value: posted."""
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
        """Wait until it has said something."""
        end = time.monotonic() + SECONDS
        while not any(what in line for line in self.said):
            assert time.monotonic() < end, (what, self.said)
            assert self.process.poll() is None, self.said
            time.sleep(0.02)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Its exit code."""
        self.process.send_signal(number)
        return self.process.wait(SECONDS)


@contextmanager
def service(home: Path, *arguments: str | Path, prelude: str = "") -> Iterator[Service]:
    """home: where it keeps what it remembers. prelude: Python to run before."""
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
            found.url = next(line for line in found.said if "serves at " in line).split()[-1]
            yield found
        finally:
            process.kill()
            reader.join(SECONDS)


def _read(found: Service) -> None:
    assert found.process.stderr is not None
    for line in found.process.stderr:
        found.said.append(line.rstrip("\n"))


def digest_with(small: BuildResult, **wanted: Any) -> str:
    """A launch digest of a row with these inputs: technology, vcpus."""
    return min(
        digest.hex()
        for inputs, digest in rows_of(small).items()
        if inputs[0] == wanted.get("technology", inputs[0]) and inputs[-1] == wanted.get("vcpus", inputs[-1])
    )
