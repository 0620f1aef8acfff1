"""How many requests the service answers: beside a bare server of its kind, and for digests that nobody asked before."""

from __future__ import annotations

import json
import os
import random
import shlex
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tools.bench.builds import MIB
from tools.bench.catalogs import Catalogs
from tools.bench.load import BATCH, loads, rate
from tools.bench.published import Publisher

SECONDS = 4
CONNECTIONS = 32
ROUNDS = 3
PATIENCE = 60
"""Seconds in which a service has to find a new release."""

HELLO = """
from granian.constants import Interfaces
from granian.server import Server
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

async def hello(request):
    return PlainTextResponse("hello")

app = Starlette(routes=[Route("/", hello)])
if __name__ == "__main__":
    Server("hello:app", "127.0.0.1", 0 or {port}, interface=Interfaces.ASGI, log_enabled=False).serve()
"""


@dataclass(frozen=True)
class Load:
    """What wrk says. p50, p99: milliseconds."""

    requests: int
    seconds: float
    failed: int
    p50: float
    p99: float

    @property
    def rate(self) -> float:
        return self.requests / self.seconds


def service_lines(catalogs: Catalogs) -> list[str]:
    """Of the default catalog, published and served. As Markdown."""
    if shutil.which("wrk") is None:
        raise SystemExit("bench: wrk is not installed (apt install wrk)")
    with catalogs.scratch() as folder:
        publisher = Publisher.in_folder(folder / "small")
        publisher.publish(catalogs.default.folder)
        return _lines(publisher, _digests(catalogs.default.folder))


def _lines(publisher: Publisher, digests: list[str]) -> list[str]:
    folder, third = publisher.folder, len(digests) // ROUNDS
    one, root = folder / "one", folder / "root"
    one.write_text(f"/d/{digests[0]}.json\n")
    root.write_text("/\n")
    new = [folder / f"new-{number}" for number in range(ROUNDS)]
    for number, path in enumerate(new):
        _write(path, digests[number * third : (number + 1) * third])
    with _hello(folder) as hello, _served(publisher) as (served, process):
        rounds = [(_load(hello, root), _load(served, one), _load(served, path)) for path in new]
        bare, single, each = (max(loads, key=lambda load: load.rate) for loads in zip(*rounds, strict=True))
        pause = 10
        connections = round(each.rate / 2 * (pause + each.p50) / 1000)
        half = _load(served, new[0], connections=connections, pause=pause)
        before = _resident(process.pid)
        long = [_load(served, path, seconds=10) for path in new]
        after = _resident(process.pid)
        swap = _swap(publisher, served, new[0])
    requests, failed = sum(load.requests for load in long), sum(load.failed for load in long)
    batches = rate(loads(digests)[-1], _command(publisher), dict(os.environ), folder / "batches.said")
    return [
        f"wrk with {CONNECTIONS} connections, on the processors of the service; the best of {ROUNDS} rounds, in turn.",
        "",
        "| requests | requests/s | times one digest | p99 ms |",
        "|---|---|---|---|",
        *(
            f"| {name} | {load.rate:,.0f} | {load.rate / single.rate:.2f} | {load.p99:.1f} |"
            for name, load in (
                ("`hello` from a bare Granian with Starlette", bare),
                ("`/d/DIGEST.json`, one digest", single),
                (f"`/d/DIGEST.json`, {third:,} digests, each for the first time", each),
            )
        ),
        f"| digests at half the load: {half.rate:,.0f} requests/s | | | {half.p99:.1f} |",
        "",
        f"`/v1/lookup`, {BATCH:,} digests in a request: {batches:,.0f} digests/s.",
        f"{requests:,} requests, {failed} failed; memory {before / MIB:,.0f} MiB before, {after / MIB:,.0f} MiB after.",
        f"A release replaced under load: {swap.requests:,} requests, {swap.failed} failed, p99 {swap.p99:.1f} ms.",
    ]


def _write(path: Path, digests: list[str]) -> None:
    path.write_text("".join(f"/d/{digest}.json\n" for digest in digests))


def _swap(publisher: Publisher, served: str, paths: Path) -> Load:
    """Something is revoked while wrk asks."""
    revoke = ["revoke", *publisher.signing, "--vcpus", "3", "--severity", "revoked", "--reason", "for a bench"]
    command = shlex.join([sys.executable, "-m", "catalog", *revoke])
    with subprocess.Popen(f"sleep 2; exec {command} >/dev/null", shell=True) as revoking:  # noqa: S602
        found = _load(served, paths, seconds=12)
    until = time.monotonic() + PATIENCE
    while not revoking.returncode and time.monotonic() < until:
        with urllib.request.urlopen(f"{served}/readyz") as ready:  # noqa: S310
            if json.load(ready)["release"] == 2:
                return found
        time.sleep(0.1)
    raise SystemExit("bench: no release was exchanged")


def _load(url: str, paths: Path, *, connections: int = CONNECTIONS, pause: int = 0, seconds: int = SECONDS) -> Load:
    script = Path(__file__).parent / "wrk.lua"
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}", "-s", str(script), url, "--", str(paths), str(pause)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return Load(**json.loads(said.strip().splitlines()[-1]))


@contextmanager
def _served(publisher: Publisher) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    said = publisher.folder / "said"
    command = [*_command(publisher), "--listen", "127.0.0.1:0"]
    with said.open("w") as err, subprocess.Popen(command, stderr=err, text=True) as process:
        while "serves at " not in said.read_text():
            time.sleep(0.05)
            if process.poll() is not None:
                raise SystemExit(said.read_text())
        try:
            yield said.read_text().partition("serves at ")[2].split()[0], process
        finally:
            process.send_signal(signal.SIGTERM)


def _command(publisher: Publisher) -> list[str]:
    return [sys.executable, "-m", "catalog", "serve", str(publisher.log), "--trust", str(publisher.trust)]


@contextmanager
def _hello(folder: Path) -> Iterator[str]:
    port = random.randrange(20_000, 30_000)
    (folder / "hello.py").write_text(HELLO.replace("0 or {port}", str(port)))
    with subprocess.Popen([sys.executable, "hello.py"], cwd=folder) as process:
        time.sleep(2)
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.send_signal(signal.SIGTERM)


def _digests(catalog: Path) -> list[str]:
    """All digests of SEV-SNP, in random order."""
    measured = "technology = 'sev-snp' AND firmware_sha256 IS NOT NULL"
    query = f"SELECT DISTINCT launch_digest FROM launch_digests WHERE {measured}"  # noqa: S608
    command = [sys.executable, "-m", "catalog", "sql", query, "--catalog", str(catalog), "--format", "csv"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = sorted(line.lower() for line in said.splitlines()[1:])
    random.Random(1).shuffle(found)
    return found


def _resident(pid: int) -> int:
    """Bytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) << 10
    raise SystemExit("bench: the service has gone")
