"""How long it takes to compare two large catalogs, and to audit one or its log, as commands of their own."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from tools.bench_builds import MIB, built_of, large_spec, whole_command

ROUNDS = 3


@dataclass(frozen=True)
class Audit:
    """Build and audit of the same rows, in turn; the least of some rounds. seconds. peak: bytes of memory."""

    technology: str
    rows: int
    build: float
    seconds: float
    peak: int


def audit_lines(default: Path, large: Path, rows: int) -> list[str]:
    """Two catalogs of which a 64th differs, and two that have no row in common; audits with few digests, and with all.

    large: a catalog as `built` makes it, of about so many rows.
    """
    some, none = large.with_name("some"), large.with_name("none")
    built_of(some, large_spec(rows, feature=2))
    built_of(none, large_spec(rows, signature=1))
    lines = ["| whole command | seconds | peak memory |", "|---|---|---|"]
    for what, arguments, codes in (
        ("`ldcat diff`, one sev_features exchanged", ["diff", str(large), str(some)], (0, 1)),
        ("`ldcat diff`, no row in common", ["diff", str(large), str(none)], (1,)),
        ("`ldcat audit`, 100,000 digests recomputed", ["audit", str(large), "--remeasure", "100000"], (0,)),
        ("`ldcat audit` of the default catalog, all recomputed", ["audit", str(default), "--remeasure", "all"], (0,)),
    ):
        seconds, peak = whole_command(*arguments, "--quiet", codes=codes)
        lines.append(f"| {what} | {seconds:.1f} | {peak / MIB:,.0f} MiB |")
    audits = [
        audit_figures(large.with_name("audited"), technology, size)
        for technology in ("sev-snp", "sev-es")
        for size in (rows // 10, rows)
    ]
    return [*lines, "", *audited_lines(audits)]


def audit_figures(folder: Path, technology: str, rows: int) -> Audit:
    """Build a catalog of about so many rows, which is removed at the end, and audit it, some times in turn."""
    builds, audits, peaks = [], [], []
    for _ in range(ROUNDS):  # to a new folder each time, whose rows cannot be reused
        build = built_of(folder, large_spec(rows, technology))
        seconds, peak = whole_command("audit", str(folder), "--remeasure", "all", "--quiet")
        builds.append(build.seconds)
        audits.append(seconds)
        peaks.append(peak)
        shutil.rmtree(folder)
    return Audit(technology, build.rows, min(builds), min(audits), max(peaks))


def audited_lines(audits: list[Audit]) -> list[str]:
    """As Markdown. audits: of each technology two, the second one of more rows."""
    lines = [
        "| `ldcat audit`, every digest | rows | seconds | times the build | peak memory | growth, bytes a row |",
        "|---|---|---|---|---|---|",
    ]
    for few, many in zip(audits[::2], audits[1::2], strict=True):
        growth = (many.peak - few.peak) / (many.rows - few.rows)
        for one, grown in ((few, ""), (many, f"{growth:.0f}")):
            lines.append(
                f"| {one.technology} | {one.rows:,} | {one.seconds:.1f} | {one.seconds / one.build:.2f} "
                f"| {one.peak / MIB:,.0f} MiB | {grown} |"
            )
    return lines
