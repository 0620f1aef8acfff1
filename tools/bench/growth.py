"""How time and memory grow with rows, and what is done with a catalog as multiples of the build of the same rows."""

from __future__ import annotations

import hashlib
import time
from contextlib import ExitStack
from pathlib import Path

from catalog.fast.packed import PackedCatalog
from tools.bench.builds import MIB, Taken, large_spec, row_count, whole_command
from tools.bench.catalogs import Catalogs
from tools.bench.lookups import TECHNOLOGY, sampled_digests
from tools.bench.published import Publisher

SHARES = (100, 10, 1)
"""Of the rows: 0.1, 1 and 10 million, unless ROWS says otherwise."""

ASKED = 20_000
"""Digests that are looked up in process."""


def growth_lines(catalogs: Catalogs) -> list[str]:
    """As Markdown."""
    sizes = [catalogs.rows // share for share in SHARES]
    found: list[dict[str, Taken]] = []
    rows: list[int] = []
    with ExitStack() as folders:  # removed at the end: ext4 makes files slowly where many were removed lately
        for size in sizes:
            taken, made = _measured(folders.enter_context(catalogs.scratch()), size)
            found.append(taken)
            rows.append(made)
    counts = " | ".join(f"{count:,} rows" for count in rows)
    return [
        f"| seconds (times the build) | {counts} | growth of time from the second to the last |",
        "|---|---|---|---|---|",
        *(f"| {name} | {_seconds(name, found)} | {_grown(name, found):.1f} |" for name in found[0]),
        "",
        f"| peak memory, MiB (times the build) | {counts} | bytes a row from the second to the last |",
        "|---|---|---|---|---|",
        *(
            f"| {name} | {_peaks(name, found)} | {_bytes_a_row(name, found, rows):,.0f} |"
            for name, taken in found[0].items()
            if taken.peak
        ),
        "",
        f"SEV-SNP rows, each command once; {rows[-1] / rows[1]:.1f} times as many rows in the last column as in the",
        f"second. {ASKED:,} lookups: random digests, one by one in one process, every byte verified, with opening.",
    ]


def _measured(folder: Path, size: int) -> tuple[dict[str, Taken], int]:
    """Each command by name, and how many rows there are."""
    spec, built, publisher = folder / "spec.toml", str(folder / "built"), Publisher.in_folder(folder / "published")
    spec.write_text(large_spec(size))
    taken = {"`ldcat build`": whole_command("build", str(spec), "-o", built, "--quiet")}
    digests = sampled_digests(Path(built), ASKED)
    taken["`ldcat lookup DIGEST`"] = whole_command("lookup", digests[0].hex(), "--catalog", built)
    taken[f"{len(digests):,} lookups"] = _asked(built, digests)
    taken["`ldcat audit --remeasure all`"] = whole_command("audit", built, "--remeasure", "all", "--quiet")
    taken["`ldcat publish`, a first release"] = publisher.publish(Path(built))
    taken["`ldcat rebuild`"] = whole_command("rebuild", str(publisher.log), "--trust", str(publisher.trust), "--quiet")
    release = ("audit", str(publisher.log), "--trust", str(publisher.trust), "--remeasure", "all", "--quiet")
    taken["`ldcat audit --remeasure all` of the release"] = whole_command(*release)
    return taken, row_count(Path(built))


def _asked(built: str, digests: list[bytes]) -> Taken:
    """Memory of lookups in this process says nothing."""
    started, processor = time.perf_counter(), time.process_time()
    index = PackedCatalog(built, hashlib.sha256).indexes[TECHNOLOGY]
    for digest in digests:
        for ordinal in index.find(digest):
            index.group_of(ordinal).at(ordinal)
    return Taken(time.perf_counter() - started, 0, time.process_time() - processor)


def _seconds(name: str, found: list[dict[str, Taken]]) -> str:
    builds = [each["`ldcat build`"].seconds for each in found]
    return " | ".join(
        f"{each[name].seconds:.2f} ({each[name].seconds / build:.2f})"
        for each, build in zip(found, builds, strict=True)
    )


def _peaks(name: str, found: list[dict[str, Taken]]) -> str:
    builds = [each["`ldcat build`"].peak for each in found]
    return " | ".join(
        f"{each[name].peak / MIB:,.0f} ({each[name].peak / build:.2f})"
        for each, build in zip(found, builds, strict=True)
    )


def _grown(name: str, found: list[dict[str, Taken]]) -> float:
    return found[-1][name].seconds / found[1][name].seconds


def _bytes_a_row(name: str, found: list[dict[str, Taken]], rows: list[int]) -> float:
    return (found[-1][name].peak - found[1][name].peak) / max(1, rows[-1] - rows[1])
