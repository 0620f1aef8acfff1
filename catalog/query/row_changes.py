"""Rows of two catalogs compared: which are new, which are gone, and which have the same inputs and another digest.

Parts are sorted by their digests, so that one slice after the other is read, verified and compared, and only what
differs is kept: memory is bounded whatever the number of rows.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from catalog.errors import MalformedRecord
from catalog.query.store import Catalog, check_schema
from catalog.release.enumeration import Progress
from catalog.release.manifest import part_names

if TYPE_CHECKING:
    import pyarrow as pa

    from catalog.query.revocations import Revocation

INPUTS = ("firmware_sha256", "kernel_hashes_sha256", "vmm", "vcpu_signature", "sev_features", "vcpus")
"""Columns that determine a digest of a technology, besides those that follow from them."""

ADDED, WITHDRAWN, RULE_CHANGED = "added", "withdrawn", "rule-changed"
REVOCATIONS = ("revoked", "deprecated", "restored")

_COLUMNS = ("launch_digest", *INPUTS)
_TYPES = ("BLOB", "BLOB", "BLOB", "VARCHAR", "UINTEGER", "UBIGINT", "USMALLINT")
_MEMORY = "1GiB"
"""Of DuckDB; what is more is on the disk."""


def comparable(old: Catalog, new: Catalog) -> tuple[list[str], list[str]]:
    """Technologies whose rows are compared, and those of which a catalog keeps distinguished digests only."""
    entries = [catalog.manifest.technologies for catalog in (old, new)]
    every = sorted({*entries[0], *entries[1]})
    some = [name for name in every if any(name in one and not one[name].parts for one in entries)]
    return [name for name in every if name not in some], some


@contextmanager
def row_changes(
    old: Catalog, new: Catalog, said: tuple[Sequence[Revocation], Sequence[Revocation]], progress: Progress
) -> Iterator[Any]:
    """A DuckDB connection with a table `changes`: change, technology, INPUTS, old_digest, new_digest.

    change: added, withdrawn or rule-changed; a digest that there is none of is null. Or revoked, deprecated or
    restored, of rows that both have, with both digests as they are. said: what a log says at the old one and at the
    new one. progress: told of rows. Raises VerificationFailed, Unreadable, MalformedRecord for a catalog that is not
    what its manifest says.
    """
    import duckdb

    columns = ", ".join(f"{name} {kind}" for name, kind in zip(_COLUMNS, _TYPES, strict=True))
    with TemporaryDirectory(prefix="ldcat-") as folder, duckdb.connect(Path(folder, "changes.duckdb")) as connection:
        connection.execute(f"SET memory_limit = '{_MEMORY}'")
        for side in ("old", "new"):
            connection.execute(f"CREATE TABLE {side}_alone (technology VARCHAR, {columns})")
        connection.execute(f"CREATE TABLE revoked (change VARCHAR, technology VARCHAR, {columns})")
        for technology in comparable(old, new)[0]:
            for slices in _slices(old, new, technology):
                _keep_differences(connection, technology, slices)
                if said[0] != said[1]:
                    _keep_revoked(connection, slices[1], said)
                progress(sum(map(len, slices)))
        connection.execute(_changes())
        if said[0] != said[1]:
            connection.execute(_revoked())
        yield connection


def _keep_differences(connection: Any, technology: str, slices: tuple[pa.Table, pa.Table]) -> None:
    for side, table in zip(("old", "new"), slices, strict=True):
        connection.register(f"{side}_rows", table)
    for side, other in (("old", "new"), ("new", "old")):
        connection.execute(
            f"INSERT INTO {side}_alone SELECT ?, {', '.join(_COLUMNS)} FROM {side}_rows a "  # noqa: S608 - our names
            f"ANTI JOIN {other}_rows b ON {_equal(_COLUMNS)}",
            [technology],
        )


def _keep_revoked(connection: Any, rows: pa.Table, said: tuple[Sequence[Revocation], Sequence[Revocation]]) -> None:
    from catalog.query.revoked_rows import with_revocations

    for side, table in zip(("before", "after"), (with_revocations(rows, one) for one in said), strict=True):
        connection.register(side, table)
    connection.execute(
        f"INSERT INTO revoked SELECT coalesce(a.revocation, 'restored'), a.technology, {_named('a', _COLUMNS)} "  # noqa: S608
        "FROM after a POSITIONAL JOIN before b WHERE a.revocation IS DISTINCT FROM b.revocation"
    )


def _changes() -> str:
    both = ", ".join(f"coalesce(a.{name}, b.{name}) AS {name}" for name in ("technology", *INPUTS))
    return (
        "CREATE TABLE changes AS SELECT "  # noqa: S608 - our names
        f"CASE WHEN a.launch_digest IS NULL THEN '{ADDED}' WHEN b.launch_digest IS NULL THEN '{WITHDRAWN}' "
        f"ELSE '{RULE_CHANGED}' END AS change, {both}, "
        "a.launch_digest AS old_digest, b.launch_digest AS new_digest "
        f"FROM old_alone a FULL JOIN new_alone b ON {_equal(('technology', *INPUTS))}"
    )


def _revoked() -> str:
    """Of rows that both have: what is new, or has another digest, is that alone."""
    return (
        f"INSERT INTO changes SELECT change, technology, {', '.join(INPUTS)}, launch_digest, launch_digest "  # noqa: S608
        f"FROM revoked a ANTI JOIN new_alone b ON {_equal(('technology', *_COLUMNS))}"
    )


def _named(table: str, names: Sequence[str]) -> str:
    return ", ".join(f"{table}.{name}" for name in names)


def _equal(names: Sequence[str]) -> str:
    return " AND ".join(f"a.{name} IS NOT DISTINCT FROM b.{name}" for name in names)


def _slices(old: Catalog, new: Catalog, technology: str) -> Iterator[tuple[pa.Table, pa.Table]]:
    """The rows of both, those with digests that begin alike at once."""
    before, after = _Parts(old, technology), _Parts(new, technology)
    count = max(1, len(before.names), len(after.names))
    for number in range(count):
        yield before.slice(number, count), after.slice(number, count)


class _Parts:
    """The parts of a technology, of which there are 2**n: each has the digests that begin with n bits."""

    def __init__(self, catalog: Catalog, technology: str) -> None:
        self._catalog = catalog
        self._technology = technology
        entry = catalog.manifest.technologies.get(technology)
        self.names = part_names(technology, entry.parts) if entry else []
        self._loaded: tuple[int, pa.Table] | None = None

    def slice(self, number: int, count: int) -> pa.Table:
        """The rows of one of `count` slices; there are not fewer slices than parts."""
        if not self.names:
            return self._empty()
        each = count // len(self.names)
        part = number // each
        if self._loaded is None or self._loaded[0] != part:
            self._loaded = None  # else there were two of them
            self._loaded = part, self._read(self.names[part])
        table = self._loaded[1]
        if each == 1:
            return table
        start, end = (self._place(table, bound, count) for bound in (number, number + 1))
        return table.slice(start, end - start)

    def _place(self, table: pa.Table, number: int, count: int) -> int:
        """Of the first row that is not before a slice."""
        digests = table.column("launch_digest")
        if number == count:
            return len(digests)
        first = ((number << 64) // count).to_bytes(8, "big")
        return bisect_left(range(len(digests)), first, key=lambda row: bytes(digests[row].as_py()))

    def _read(self, name: str) -> pa.Table:
        import pyarrow as pa
        import pyarrow.parquet as pq

        data = pa.BufferReader(self._catalog.verified(name))
        repeated = ["technology", "firmware_sha256", "kernel_hashes_sha256", "vmm"]
        try:
            check_schema(pq.read_schema(data), self._technology, name)
            data.seek(0)
            file = pq.ParquetFile(data, read_dictionary=repeated)
            return file.read(columns=["technology", *_COLUMNS], use_threads=False)
        except (pa.ArrowException, OSError, ValueError) as error:
            raise MalformedRecord(f"{name} is no Parquet file") from error

    def _empty(self) -> pa.Table:
        from catalog.launch.technology import technology_named
        from catalog.release.digest_table import digest_schema

        schema = digest_schema(self._technology, technology_named(self._technology).digest_size)
        return schema.empty_table().select(["technology", *_COLUMNS])
