"""How long it takes to rebuild a log, beside the build of the same rows, and how much memory."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from tools.bench.builds import MIB, built, whole_command
from tools.bench.catalogs import Catalogs
from tools.bench.published import Publisher

ROUNDS = 3


@dataclass(frozen=True)
class Rebuild:
    """Build and rebuild of the same rows, in turn; seconds: the least of some rounds. peak: the most bytes."""

    technology: str
    rows: int
    build: float
    seconds: float
    peak: int


def rebuild_lines(catalogs: Catalogs) -> list[str]:
    """As Markdown."""
    lines = [
        "| `ldcat rebuild`, one release | rows | seconds | times the build | peak memory | growth, bytes a row |",
        "|---|---|---|---|---|---|",
    ]
    for technology in ("sev-snp", "sev-es"):
        with catalogs.scratch() as folder:
            few, many = (
                _figures(folder / str(size), technology, size) for size in (catalogs.rows // 10, catalogs.rows)
            )
        growth = (many.peak - few.peak) / (many.rows - few.rows)
        for one, grown in ((few, ""), (many, f"{growth:.0f}")):
            lines.append(
                f"| {one.technology} | {one.rows:,} | {one.seconds:.1f} | {one.seconds / one.build:.2f} "
                f"| {one.peak / MIB:,.0f} MiB | {grown} |"
            )
    return lines


def _figures(folder: Path, technology: str, rows: int) -> Rebuild:
    """Build and publish about so many rows; then build them again and rebuild the log, some times in turn."""
    folder.mkdir()
    catalog, publisher = folder / "catalog", Publisher.in_folder(folder / "published")
    build = built(catalog, rows, technology)
    publisher.publish(catalog)
    builds, rebuilds, peaks = [], [], []
    for _ in range(ROUNDS):
        shutil.rmtree(catalog)  # whose rows would be reused
        builds.append(built(catalog, rows, technology).seconds)
        taken = whole_command("rebuild", str(publisher.log), "--trust", str(publisher.trust), "--quiet")
        rebuilds.append(taken.seconds)
        peaks.append(taken.peak)
    shutil.rmtree(folder)
    return Rebuild(technology, build.rows, min(builds), min(rebuilds), max(peaks))
