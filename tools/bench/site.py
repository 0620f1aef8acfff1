"""What a lookup at a host of static files costs: connections, requests, bytes and time."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from catalog import Release
from tests.support.counted_hosts import Counted, counted_host
from tests.support.hosts import right
from tools.bench.builds import MIB
from tools.bench.catalogs import Catalogs
from tools.bench.lookups import sampled_digests
from tools.bench.published import Publisher

LOOKUPS = 500

DELAY = 0.04
"""Seconds before each answer of a host that is 20 ms away."""


@dataclass
class _Sizes:
    """What a host sent. total: bytes of bodies, since it was last asked. delay: seconds before each answer."""

    total: int = 0
    delay: float = 0.0

    def __call__(self, handler: BaseHTTPRequestHandler, root: Path) -> None:
        time.sleep(self.delay)
        path = root / handler.path.removeprefix("/logs/")
        self.total += path.stat().st_size if path.is_file() else 0
        right(handler, root)

    def since(self) -> int:
        """Bytes, from the last call on."""
        found, self.total = self.total, 0
        return found


@dataclass
class _Asked:
    """A host, and commands that ask it: those of a guest near it, and of one that is 20 ms away. homes: of both."""

    host: Counted
    trust: Path
    sizes: _Sizes
    homes: Path
    lines: list[str] = field(default_factory=list)

    def lookup(self, what: str, digest: bytes, *more: str) -> None:
        """Add a line about a command."""
        command = [sys.executable, "-m", "catalog", "lookup", digest.hex(), "--catalog", self.host.url]
        near, paths, connections, sent = self._seconds("near", 0.0, [*command, *more])
        far, *_ = self._seconds("far", DELAY, [*command, *more])
        taken = f"{1000 * near:.0f} | {1000 * far:.0f}"
        self.lines.append(f"| {what} | {connections} | {len(paths)} | {sent:,} | {taken} |")

    def _seconds(self, guest: str, delay: float, command: list[str]) -> tuple[float, list[str], int, int]:
        """Seconds of a command, the paths that it requested, its connections, and the bytes that it got."""
        self.host.since()
        self.sizes.since()
        self.sizes.delay = delay
        homes = {f"XDG_{kind}_HOME": str(self.homes / guest / kind.lower()) for kind in ("CACHE", "STATE")}
        started = time.perf_counter()
        whole = [*command, "--trust", str(self.trust)]
        subprocess.run(whole, check=True, stdout=subprocess.DEVNULL, env={**os.environ, **homes})
        seconds = time.perf_counter() - started
        self.sizes.delay = 0.0
        return seconds, *self.host.since(), self.sizes.since()


def site_lines(catalogs: Catalogs) -> list[str]:
    """Of the large catalog, and of the default one as the release after it. As Markdown."""
    large = catalogs.large
    with catalogs.scratch() as folder:
        publisher, site, sizes = Publisher.in_folder(folder / "published"), folder / "site", _Sizes()
        publisher.publish(large.folder)
        made = publisher.site(site)
        digests = sampled_digests(large.folder, LOOKUPS)
        with counted_host(site, sizes) as host:
            asked = _Asked(host, publisher.trust, sizes, folder / "guests")
            asked.lookup("the first one", digests[0])
            asked.lookup("another digest, the host asked for a new checkpoint", digests[1])
            asked.lookup("... and with a checkpoint of the last five minutes", digests[2], "--max-checkpoint-age", "5m")
            publisher.cosign()
            shutil.copy(publisher.log / "checkpoint", site)
            asked.lookup("after a cosignature", digests[3])
            most, largest, taken = _in_process(host, sizes, publisher.trust, digests)
            publisher.publish(catalogs.default.folder)
            publisher.site(site)
            asked.lookup("after a new release", sampled_digests(catalogs.default.folder, 1)[0])
    return [
        f"A site of {large.rows:,} rows: made in {made.seconds:.1f} s with {made.peak / MIB:,.0f} MiB.",
        "",
        "| `ldcat lookup DIGEST`, whole command | connections | requests | bytes | ms | ms, 20 each way |",
        "|---|---|---|---|---|---|",
        *asked.lines,
        "",
        f"{len(digests) - 1} lookups in a Release: at most {most} request and {largest:,} bytes each, median",
        f"{taken:.1f} ms.",
    ]


def _in_process(host: Counted, sizes: _Sizes, trust: Path, digests: list[bytes]) -> tuple[int, int, float]:
    """The most requests and bytes of a lookup, and median milliseconds."""
    most, largest, taken = 0, 0, []
    with Release.open(host.url, trust) as release:
        release.lookup(digests[0])  # the components, once
        for digest in digests[1:]:
            host.since()
            sizes.since()
            started = time.perf_counter()
            if not release.lookup(digest):
                raise SystemExit(f"bench: {digest.hex()} is not found")
            taken.append(1000 * (time.perf_counter() - started))
            most, largest = max(most, len(host.since()[0])), max(largest, sizes.since())
    return most, largest, sorted(taken)[len(taken) // 2]
