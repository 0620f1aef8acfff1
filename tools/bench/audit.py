"""How long it takes to compare two large catalogs, and to audit one or its log, as commands of their own."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from tools.bench.builds import MIB, built_of, large_spec, whole_command
from tools.bench.catalogs import Catalogs

ROUNDS = 3


@dataclass(frozen=True)
class Audit:
    """Build and audit of the same rows, in turn; the least of some rounds. seconds. peak: bytes of memory."""

    technology: str
    rows: int
    build: float
    seconds: float
    peak: int


def audit_lines(catalogs: Catalogs) -> list[str]:
    """Two catalogs of which a 64th differs, and two without a common row; audits with few digests, and with all."""
    default, large = str(catalogs.default.folder), str(catalogs.large.folder)
    lines = [f"{catalogs.large.rows:,} rows.", "", "| whole command | seconds | peak memory |", "|---|---|---|"]
    with catalogs.scratch() as folder:
        some, none = folder / "some", folder / "none"
        built_of(some, large_spec(catalogs.rows, feature=2))
        built_of(none, large_spec(catalogs.rows, signature=1))
        for what, arguments, codes in (
            ("`ldcat diff`, one sev_features exchanged", ["diff", large, str(some)], (0, 1)),
            ("`ldcat diff`, no row in common", ["diff", large, str(none)], (1,)),
            ("`ldcat audit`, 100,000 digests recomputed", ["audit", large, "--remeasure", "100000"], (0,)),
            ("`ldcat audit` of the default catalog, all recomputed", ["audit", default, "--remeasure", "all"], (0,)),
        ):
            taken = whole_command(*arguments, "--quiet", codes=codes)
            lines.append(f"| {what} | {taken.seconds:.1f} | {taken.peak / MIB:,.0f} MiB |")
        audits = [
            _figures(folder / "audited", technology, size)
            for technology in ("sev-snp", "sev-es")
            for size in (catalogs.rows // 10, catalogs.rows)
        ]
    return [*lines, "", *_audited(audits)]


def _figures(folder: Path, technology: str, rows: int) -> Audit:
    """Build a catalog of about so many rows, which is removed at the end, and audit it, some times in turn."""
    builds, audits, peaks = [], [], []
    for _ in range(ROUNDS):  # to a new folder each time, whose rows cannot be reused
        build = built_of(folder, large_spec(rows, technology))
        taken = whole_command("audit", str(folder), "--remeasure", "all", "--quiet")
        builds.append(build.seconds)
        audits.append(taken.seconds)
        peaks.append(taken.peak)
        shutil.rmtree(folder)
    return Audit(technology, build.rows, min(builds), min(audits), max(peaks))


def _audited(audits: list[Audit]) -> list[str]:
    """As Markdown. audits: of each technology two, the second one of more rows."""
    lines = [
        "| `ldcat audit`, every digest | rows | seconds | times the build | peak memory | growth, bytes a row |",
        "|---|---|---|---|---|---|",
    ]
    for few, many in zip(audits[::2], audits[1::2], strict=True):
        growth = (many.peak - few.peak) / max(1, many.rows - few.rows)  # both are whole sweeps
        for one, grown in ((few, ""), (many, f"{growth:.0f}")):
            lines.append(
                f"| {one.technology} | {one.rows:,} | {one.seconds:.1f} | {one.seconds / one.build:.2f} "
                f"| {one.peak / MIB:,.0f} MiB | {grown} |"
            )
    return lines
