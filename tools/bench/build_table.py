"""Builds of the catalogs that other sections ask: time, memory and room, and SEV-ES rows against SEV-SNP rows."""

from __future__ import annotations

from tools.bench.builds import MIB, Build
from tools.bench.catalogs import Catalogs


def build_lines(catalogs: Catalogs) -> list[str]:
    """As Markdown."""
    es, snp = catalogs.sev_es, catalogs.large
    return [
        "| catalog | rows | seconds | rows/s | peak memory | Parquet bytes a row | index bytes a row |",
        "|---|---|---|---|---|---|---|",
        *(
            f"| {b.name} | {b.rows:,} | {b.seconds:.1f} | {b.rows / b.seconds:,.0f} | {b.peak / MIB:,.0f} MiB "
            f"| {b.parquet / b.rows:.1f} | {b.index / b.rows:.2f} |"
            for b in (catalogs.default, es, snp)
        ),
        "",
        "Seconds: the whole command, from a cold start to synced files, once. The index includes its Merkle tree.",
        f"A SEV-ES row takes {_row_seconds(es) / _row_seconds(snp):.1f} times as long as a SEV-SNP row.",
    ]


def _row_seconds(build: Build) -> float:
    return build.seconds / build.rows
