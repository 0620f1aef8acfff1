"""The same digests in LMDB, SQLite and DuckDB: how long it takes to write them, their bytes, and lookups one by one."""

from __future__ import annotations

import hashlib
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import lmdb
import pyarrow.parquet as pq

from catalog.fast.packed import PackedCatalog
from catalog.store.catalog import Catalog
from catalog.store.manifest import part_names
from tools.bench.catalogs import Catalogs
from tools.bench.lookups import TECHNOLOGY, sampled_digests

ROUNDS = 20
EACH = 1_000
"""Digests of a round."""

BEFORE = 50_000
"""Digests that are looked up before the first round."""

DUCKDB_BEFORE = 1_000
"""The same for DuckDB, which is slower."""

Lookup = Callable[[bytes], object]


@dataclass(frozen=True)
class Store:
    """written: seconds. size: bytes. lookup: of one digest. before: digests that are looked up first."""

    name: str
    verified: str
    written: float
    size: float
    lookup: Lookup
    before: int = BEFORE


def store_lines(catalogs: Catalogs) -> list[str]:
    """Of the large catalog, as Markdown."""
    large = catalogs.large
    with catalogs.scratch() as folder:
        stores = [
            Store("ldcat", "every byte", large.seconds, large.index, _ldcat(large.folder)),
            _lmdb(large.folder, folder / "lmdb"),
            _sqlite(large.folder, folder / "sqlite"),
            _duckdb(large.folder, folder / "duckdb"),
        ]
        rates = _rates(stores, sampled_digests(large.folder, BEFORE + ROUNDS * EACH))
    peer = rates["LMDB"]
    return [
        f"{large.rows:,} SEV-SNP digests, each with the number of its row. Lookups: random digests, one by one, in one",
        "thread of one process, warm page cache; the best of many rounds, in turn.",
        "",
        "| store | seconds to write | bytes a row | lookups/s | times LMDB | verified |",
        "|---|---|---|---|---|---|",
        *(
            f"| {s.name} | {s.written:.1f} | {s.size / large.rows:.1f} | {rates[s.name]:,.0f} "
            f"| {rates[s.name] / peer:.2f} | {s.verified} |"
            for s in stores
        ),
        "",
        "ldcat: seconds of the whole build, hashing included; bytes of the index; a lookup gives the configuration,",
        f"not a number alone. The digests are in Parquet files, {large.parquet / large.rows:.1f} bytes a row.",
        "The others are given the digests in sorted order, which is the fastest for them.",
    ]


def _rates(stores: list[Store], digests: list[bytes]) -> dict[str, float]:
    """Lookups a second."""
    first, rest = digests[:BEFORE], digests[BEFORE:]
    best = dict.fromkeys((store.name for store in stores), 0.0)
    for store in stores:
        _seconds(store.lookup, first[: store.before])
    for at in range(0, len(rest), EACH):
        some = rest[at : at + EACH]
        for store in stores:
            best[store.name] = max(best[store.name], len(some) / _seconds(store.lookup, some))
    return best


def _seconds(lookup: Lookup, digests: list[bytes]) -> float:
    started = time.perf_counter()
    for digest in digests:
        if not lookup(digest):
            raise SystemExit(f"bench: {digest.hex()} is not found")
    return time.perf_counter() - started


def _ldcat(folder: Path) -> Lookup:
    index = PackedCatalog(str(folder), hashlib.sha256).indexes[TECHNOLOGY]

    def lookup(digest: bytes) -> object:
        return [index.group_of(ordinal).at(ordinal) for ordinal in index.find(digest)]

    return lookup


def _lmdb(catalog: Path, path: Path) -> Store:
    started = time.perf_counter()
    opened = lmdb.open(str(path), map_size=1 << 40)
    with opened.begin(write=True) as writing:
        cursor = writing.cursor()
        for first, digests in _digests(catalog):
            rows = ((digest, number.to_bytes(8, "little")) for number, digest in enumerate(digests, first))
            cursor.putmulti(rows, append=True)
    opened.sync(True)
    written = time.perf_counter() - started
    reading = opened.begin(buffers=True)
    return Store("LMDB", "nothing", written, _used(path / "data.mdb"), reading.get)


def _sqlite(catalog: Path, path: Path) -> Store:
    started = time.perf_counter()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE digests (digest BLOB PRIMARY KEY, row INTEGER) WITHOUT ROWID")
        for first, digests in _digests(catalog):
            rows = zip(digests, range(first, first + len(digests)), strict=True)
            connection.executemany("INSERT INTO digests VALUES (?, ?)", rows)
    written = time.perf_counter() - started

    def lookup(digest: bytes) -> object:
        return connection.execute("SELECT row FROM digests WHERE digest = ?", (digest,)).fetchone()

    return Store("SQLite", "nothing", written, path.stat().st_size, lookup)


def _duckdb(catalog: Path, path: Path) -> Store:
    """From the Parquet files, which it reads itself; with an index, without which each lookup reads row groups."""
    started = time.perf_counter()
    connection = duckdb.connect(path)
    files = [str(catalog / name) for name in _parts(catalog)]
    connection.execute(
        "CREATE TABLE digests AS SELECT launch_digest AS digest, row_number() OVER () AS row FROM read_parquet(?)",
        [files],
    )
    connection.execute("CREATE INDEX by_digest ON digests (digest)")
    connection.execute("CHECKPOINT")
    written = time.perf_counter() - started

    def lookup(digest: bytes) -> object:
        return connection.execute("SELECT row FROM digests WHERE digest = ?", [digest]).fetchone()

    return Store("DuckDB", "nothing", written, path.stat().st_size, lookup, DUCKDB_BEFORE)


def _digests(catalog: Path) -> Iterator[tuple[int, list[bytes]]]:
    """All digests, sorted, some at a time, with the number of the first."""
    first = 0
    for name in _parts(catalog):
        for batch in pq.ParquetFile(catalog / name).iter_batches(columns=["launch_digest"]):
            digests = batch["launch_digest"].to_pylist()
            yield first, digests
            first += len(digests)


def _parts(catalog: Path) -> list[str]:
    return part_names(TECHNOLOGY, Catalog.open(catalog).manifest.technologies[TECHNOLOGY].parts)


def _used(path: Path) -> int:
    """Bytes on disk: LMDB's file has the size of its map, of which most was never written."""
    return path.stat().st_blocks * 512
