"""How many requests the service answers, beside a bare server of its kind; what a lookup at a host of files costs."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from catalog import Release
from catalog.publish.key_files import KeyPair, new_key, write_keys
from catalog.transparency.keys import SignatureType
from tests.support.hosts import StaticHost, static_host
from tools.bench_builds import MIB, built, whole_command

SECONDS = 6
CONNECTIONS = 32
DIGESTS = 5_000
LOOKUPS = 500
LOGS = ("small", "large")

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


def service_lines(default: Path, large: Path) -> list[str]:
    """default, large: catalogs, which are published and served here. As Markdown."""
    if shutil.which("wrk") is None:
        raise SystemExit("bench: wrk is not installed (apt install wrk)")
    folder = large.parent / "service"
    folder.mkdir()
    os.environ["XDG_STATE_HOME"], os.environ["XDG_CACHE_HOME"] = str(folder / "state"), str(folder / "cache")
    keys = [new_key(f"example.com/{name}", SignatureType.ED25519) for name in LOGS]
    for name, key in zip(LOGS, keys, strict=True):
        write_keys(folder / f"{name}-key", [key], None)
    _trust(folder, keys)
    return [*_load_lines(folder, default), "", *_site_lines(folder, large)]


def _load_lines(folder: Path, default: Path) -> list[str]:
    _publish(folder, default, "small")
    digests = _digests(default)
    one, many = folder / "one", folder / "many"
    one.write_text(f"/d/{digests[0]}.json\n")
    many.write_text("".join(f"/d/{digest}.json\n" for digest in digests))
    root = folder / "root"
    root.write_text("/\n")
    with _hello(folder) as hello, _served(folder / "small", folder / "trust") as (served, process):
        rounds = [(_load(hello, root), _load(served, one), _load(served, many)) for _ in range(3)]
        bare, single, each = (max(loads, key=lambda load: load.rate) for loads in zip(*rounds, strict=True))
        pause = 10
        half = _load(served, many, connections=round(each.rate / 2 * (pause + each.p50) / 1000), pause=pause)
        before = _resident(process.pid)
        long = [_load(served, many, seconds=10) for _ in range(3)]
        after = _resident(process.pid)
        swap = _swap(folder, served, many)
    share = [single.rate / bare.rate, each.rate / bare.rate]
    requests, failed = sum(load.requests for load in long), sum(load.failed for load in long)
    return [
        f"wrk with {CONNECTIONS} connections, on the processors of the service; the best of three rounds, in turn.",
        "",
        "| requests | requests/s | ratio | p99 ms |",
        "|---|---|---|---|",
        f"| `hello` from a bare Granian with Starlette | {bare.rate:,.0f} | 1 | {bare.p99:.1f} |",
        f"| `/d/DIGEST.json`, one digest | {single.rate:,.0f} | {share[0]:.2f} | {single.p99:.1f} |",
        f"| `/d/DIGEST.json`, {len(digests):,} digests in turn | {each.rate:,.0f} | {share[1]:.2f} | {each.p99:.1f} |",
        f"| the same at half the load: {half.rate:,.0f} requests/s | | | {half.p99:.1f} |",
        "",
        f"{requests:,} requests, {failed} failed; memory {before / MIB:,.0f} MiB before, {after / MIB:,.0f} MiB after.",
        f"A release replaced under load: {swap.requests:,} requests, {swap.failed} failed, p99 {swap.p99:.1f} ms.",
    ]


def _swap(folder: Path, served: str, paths: Path) -> Load:
    """Something is revoked while wrk asks."""
    command = [
        sys.executable,
        "-m",
        "catalog",
        "revoke",
        "--log",
        str(folder / "small"),
        "--key",
        str(folder / "small-key"),
    ]
    command += ["--vcpus", "3", "--severity", "revoked", "--reason", "for a bench"]
    with subprocess.Popen(f"sleep 2; exec {' '.join(command[:-1])} 'for a bench' >/dev/null", shell=True) as revoking:  # noqa: S602
        found = _load(served, paths, seconds=12)
    with urllib.request.urlopen(f"{served}/readyz") as ready:  # noqa: S310
        if revoking.returncode or json.load(ready)["release"] != 2:
            raise SystemExit("bench: no release was exchanged")
    return found


def _site_lines(folder: Path, large: Path) -> list[str]:
    _publish(folder, large, "large")
    site = folder / "site"
    trust = ("--trust", str(folder / "trust"))
    seconds, peak = whole_command("site", str(folder / "large"), "-o", str(site), "--quiet", *trust)
    ranges = [path for path in (site / "range/1").iterdir() if path.name != "index.json"]
    rows = json.loads((site / "page.json").read_bytes())["rows"]
    with static_host(site) as host, Release.open(host.url, folder / "trust") as release:
        digests = [bytes(48).hex(), *_digests(large)[:LOOKUPS]]
        release.lookup(digests[0])  # the components, once
        most, largest, taken = _cost(host, release, digests[1:])
    return [
        f"A site of {rows:,} rows: made in {seconds:.0f} s with {peak / MIB:,.0f} MiB, {len(ranges):,} ranges.",
        "",
        f"| {LOOKUPS} lookups at a host of static files, components already fetched | maximum |",
        "|---|---|",
        f"| requests | {most} |",
        f"| bytes | {largest:,} |",
        f"| milliseconds, median | {taken:.1f} |",
    ]


def _cost(host: StaticHost, release: Release, digests: list[str]) -> tuple[int, int, float]:
    most, largest, taken = 0, 0, []
    for digest in digests:
        host.requests.clear()
        started = time.perf_counter()
        if not release.lookup(digest):
            raise SystemExit(f"bench: {digest} is not found")
        taken.append(1000 * (time.perf_counter() - started))
        most, largest = max(most, len(host.requests)), max(largest, sum(size for _, size in host.requests))
    return most, largest, sorted(taken)[len(taken) // 2]


def _load(url: str, paths: Path, *, connections: int = CONNECTIONS, pause: int = 0, seconds: int = SECONDS) -> Load:
    script = Path(__file__).parent / "wrk.lua"
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}", "-s", str(script), url, "--", str(paths), str(pause)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return Load(**json.loads(said.strip().splitlines()[-1]))


@contextmanager
def _served(log: Path, trust: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    command = [sys.executable, "-m", "catalog", "serve", str(log), "--trust", str(trust), "--listen", "127.0.0.1:0"]
    said = log.with_suffix(".said")
    with said.open("w") as err, subprocess.Popen(command, stderr=err, text=True) as process:
        while "serves at " not in said.read_text():
            time.sleep(0.05)
            if process.poll() is not None:
                raise SystemExit(said.read_text())
        yield said.read_text().partition("serves at ")[2].split()[0], process
        process.send_signal(signal.SIGTERM)


@contextmanager
def _hello(folder: Path) -> Iterator[str]:
    port = random.randrange(20_000, 30_000)
    (folder / "hello.py").write_text(HELLO.replace("0 or {port}", str(port)))
    with subprocess.Popen([sys.executable, "hello.py"], cwd=folder) as process:
        time.sleep(2)
        yield f"http://127.0.0.1:{port}"
        process.send_signal(signal.SIGTERM)


def _publish(folder: Path, catalog: Path, name: str) -> None:
    whole_command("publish", str(catalog), "--log", str(folder / name), "--key", str(folder / f"{name}-key"), "--quiet")


def _trust(folder: Path, keys: Sequence[KeyPair]) -> None:
    root = new_key("root.example", SignatureType.ED25519)
    write_keys(folder / "root-key", [root], None)
    (folder / "policy").write_text("".join(f"log {pair.key}\n" for pair in keys) + "quorum none\n")
    run = [sys.executable, "-m", "catalog", "trust"]
    text = subprocess.run(
        [*run, "init", "--policy", str(folder / "policy"), "--root", f"a={root.key}", "--threshold", "1"],
        capture_output=True,
        check=True,
    ).stdout
    (folder / "text").write_bytes(text)
    signed = subprocess.run(
        [*run, "sign", str(folder / "text"), "--key", str(folder / "root-key")], capture_output=True, check=True
    ).stdout
    (folder / "trust").write_bytes(signed)


def _digests(catalog: Path) -> list[str]:
    query = f"SELECT DISTINCT hex(launch_digest) FROM launch_digests USING SAMPLE {DIGESTS}"  # noqa: S608
    command = [sys.executable, "-m", "catalog", "sql", query, "--catalog", str(catalog), "--format", "csv"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [line.lower() for line in said.splitlines()[1:]]


def _resident(pid: int) -> int:
    """Bytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) << 10
    raise SystemExit("bench: the service has gone")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as work:
        small, many = Path(work) / "default", Path(work) / "many"
        whole_command("build", "-o", str(small), "--quiet")
        built(many, int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
        print("\n".join(service_lines(small, many)))  # noqa: T201
