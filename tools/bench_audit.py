"""How long it takes to compare two large catalogs, and to audit one, as commands of their own."""

from __future__ import annotations

from pathlib import Path

from tools.bench_builds import MIB, built_of, large_spec, whole_command


def audit_lines(default: Path, large: Path, rows: int) -> list[str]:
    """Two catalogs of which a 64th differs, and two that have no row in common; the default one recomputed as a whole.

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
    return lines
