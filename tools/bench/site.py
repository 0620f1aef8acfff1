"""What a lookup at a host of static files costs: connections, requests, bytes and time."""

from __future__ import annotations

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


@dataclass
class _Sizes:
    """What a host sent. total: bytes of bodies, since it was last asked."""

    total: int = 0

    def __call__(self, handler: BaseHTTPRequestHandler, root: Path) -> None:
        path = root / handler.path.removeprefix("/logs/")
        self.total += path.stat().st_size if path.is_file() else 0
        right(handler, root)

    def since(self) -> int:
        """Bytes, from the last call on."""
        found, self.total = self.total, 0
        return found


@dataclass
class _Asked:
    """A host, and commands that ask it."""

    host: Counted
    trust: Path
    sizes: _Sizes
    lines: list[str] = field(default_factory=list)

    def lookup(self, what: str, digest: bytes) -> None:
        """Add a line about a command."""
        command = [sys.executable, "-m", "catalog", "lookup", digest.hex(), "--catalog", self.host.url]
        self.host.since()
        self.sizes.since()
        started = time.perf_counter()
        subprocess.run([*command, "--trust", str(self.trust)], check=True, stdout=subprocess.DEVNULL)
        seconds = time.perf_counter() - started
        paths, connections = self.host.since()
        sent = self.sizes.since()
        self.lines.append(f"| {what} | {connections} | {len(paths)} | {sent:,} | {1000 * seconds:.0f} |")


def site_lines(catalogs: Catalogs) -> list[str]:
    """Of the large catalog, and of the default one as the release after it. As Markdown."""
    large = catalogs.large
    with catalogs.scratch() as folder:
        publisher, site, sizes = Publisher.in_folder(folder / "published"), folder / "site", _Sizes()
        publisher.publish(large.folder)
        made = publisher.site(site)
        digests = sampled_digests(large.folder, LOOKUPS)
        with counted_host(site, sizes) as host:
            asked = _Asked(host, publisher.trust, sizes)
            asked.lookup("the first one", digests[0])
            asked.lookup("another digest, the host asked for a new checkpoint", digests[1])
            most, largest, taken = _in_process(host, sizes, publisher.trust, digests)
            publisher.publish(catalogs.default.folder)
            publisher.site(site)
            asked.lookup("after a new release", sampled_digests(catalogs.default.folder, 1)[0])
    return [
        f"A site of {large.rows:,} rows: made in {made.seconds:.1f} s with {made.peak / MIB:,.0f} MiB.",
        "",
        "| `ldcat lookup DIGEST`, whole command | connections | requests | bytes | ms |",
        "|---|---|---|---|---|",
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
