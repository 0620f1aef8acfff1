"""Audit of the rows of a catalog: tables, order, components, and inputs that several rows have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from catalog.audit.audit import AuditFinding, wrong
from catalog.diff.row_changes import INPUTS
from catalog.errors import LdcatError, VerificationFailed
from catalog.rows.fields import COLUMNS, DIGEST
from catalog.store.catalog import Catalog
from catalog.store.digest_parts import digest_parts
from catalog.store.duckdb_scratch import refused, scratch_folder
from catalog.store.index.index_faults import has_distinct_inputs

_MEMORY = "256MiB"
"""Memory limit of DuckDB, which uses the disk for more."""

_NAMED = 5
"""Rows: how many a finding names."""


ENCODED = [field.name for field in COLUMNS if field is not DIGEST and field.kind.arrow in ("string", "binary")]
"""Columns that are read as dictionaries, as they are stored."""


@dataclass(frozen=True, slots=True)
class Part:
    """A readable Parquet file of a technology.

    name: its file name.
    number: which one it is of `count` parts.
    count: number of parts.
    table: its rows.
    """

    name: str
    number: int
    count: int
    table: pa.Table


def read_parts(catalog: Catalog, technology: str, findings: list[AuditFinding]) -> Iterator[Part]:
    """Yield each readable part; faults of tables are added to the findings. audit_files.py finds damaged files."""
    for part in digest_parts(catalog, technology):
        name = part.name
        try:
            table = part.table(encoded=ENCODED)
        except VerificationFailed:
            continue
        except LdcatError as failure:
            findings.append(wrong("table", name, str(failure)))
            continue
        if len(table) != catalog.manifest.files[name].rows:
            findings.append(wrong("table", name, f"it has {len(table):,} rows"))
        if others := [value for value in pc.unique(table["technology"]).to_pylist() if value != technology]:
            findings.append(wrong("table", name, f"it has rows of {others[0]}"))
        yield Part(name, part.number, part.count, table)


def order_findings(part: Part) -> Iterator[AuditFinding]:
    """Yield a finding for rows out of order, and one for rows that belong to another part."""
    digests = part.table["launch_digest"].combine_chunks().cast(pa.binary())
    if len(digests) > 1:
        falls = pc.less(digests[1:], digests[:-1])
        if count := pc.sum(falls).as_py():
            yield wrong(
                "order", part.name, f"{count:,} rows have a lower digest than the previous row: {_rows(falls, 1)}"
            )
    low, high = (((number << 64) // part.count) for number in (part.number, part.number + 1))
    outside = pc.less(digests, pa.scalar(low.to_bytes(8, "big"), pa.binary()))
    if high < 1 << 64:
        outside = pc.or_(outside, pc.greater_equal(digests, pa.scalar(high.to_bytes(8, "big"), pa.binary())))
    if count := pc.sum(outside).as_py():
        yield wrong("order", part.name, f"{count:,} rows belong to another part: {_rows(outside)}")


def component_findings(catalog: Catalog, part: Part) -> Iterator[AuditFinding]:
    """Yield images, bases, kernel hashes tables and profiles that rows name and the catalog lacks."""
    known: Mapping[str, Any] = {
        "firmware_sha256": catalog.firmware,
        "firmware_snp_baseline": catalog.firmware,
        "base_digest": catalog.bases,
        "kernel_hashes_sha256": catalog.kernel_hashes,
        "vmm": catalog.profiles,
    }
    for column, listed in known.items():
        for value in pc.unique(part.table[column]).to_pylist():
            if value is not None and value not in listed:
                shown = value.hex() if isinstance(value, bytes) else value
                yield wrong("component", part.name, f"{column} {shown} is not in the catalog")


def unique_findings(catalog: Catalog, technology: str) -> Iterator[AuditFinding]:
    """Yield inputs that several rows of a technology have.

    If the index cannot tell that there are none, all rows are grouped, in a database on disk. Raises DiskFull,
    OutOfMemory, Unreadable.
    """
    try:
        if catalog.manifest.technologies[technology].parts and has_distinct_inputs(catalog.components, technology):
            return
    except LdcatError:  # of a file, which other checks report
        pass
    with inputs_seen() as seen:
        for part in read_parts(catalog, technology, []):
            seen.add(part)
        yield from seen.findings(technology)


class InputsSeen:
    """The inputs of the rows of a technology, in a database on disk."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._made = False

    def add(self, part: Part) -> None:
        """Add the rows of a part."""
        self._connection.register("part", part.table.select(["launch_digest", *INPUTS]))
        self._connection.execute("INSERT INTO rows FROM part" if self._made else "CREATE TABLE rows AS FROM part")
        self._made = True

    def findings(self, technology: str) -> Iterator[AuditFinding]:
        """Yield inputs that several rows have."""
        if not self._made:
            return
        inputs = ", ".join(INPUTS)
        shared = self._connection.execute(
            f"SELECT count(*), count(DISTINCT launch_digest), {inputs} FROM rows GROUP BY {inputs} "  # noqa: S608 - ours
            "HAVING count(*) > 1 ORDER BY ALL"
        ).fetchall()
        for rows, digests, *values in shared[:_NAMED]:
            yield wrong("unique", f"{technology} {_named(values)}", f"{rows} rows, with {digests} launch digests")
        if len(shared) > _NAMED:
            yield wrong("unique", technology, f"and {len(shared) - _NAMED:,} more inputs with several rows")


@contextmanager
def inputs_seen() -> Iterator[InputsSeen]:
    """An empty temporary InputsSeen. Raises DiskFull, OutOfMemory, Unreadable."""
    import duckdb  # which a right catalog does not need

    with scratch_folder() as folder, refused(folder), duckdb.connect(folder / "inputs.duckdb") as connection:
        connection.execute(f"SET memory_limit = '{_MEMORY}'")
        yield InputsSeen(connection)


def _rows(mask: Any, more: int = 0) -> str:
    """The numbers of the first rows that a mask selects."""
    numbers = pc.indices_nonzero(mask)[:_NAMED].to_pylist()
    return "row " + ", ".join(str(number + more) for number in numbers)


def _named(values: Sequence[Any]) -> str:
    pairs = zip(INPUTS, values, strict=True)
    return ", ".join(
        f"{name} {value.hex() if isinstance(value, bytes) else value}" for name, value in pairs if value is not None
    )
