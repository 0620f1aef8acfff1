"""Audit of the rows of a catalog: tables, order, inputs that are there once, and what the index leads to."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from catalog.errors import LdcatError, VerificationFailed
from catalog.query.audit import AuditFinding, wrong
from catalog.query.batch import BatchIndex
from catalog.query.packed import PackedCatalog
from catalog.query.row_changes import INPUTS
from catalog.query.store import Catalog, check_schema, read_parquet
from catalog.release import manifest
from catalog.release.index import Group
from catalog.release.names import IMAGES, PROFILES, TABLES
from catalog.release.verity import DamagedBlock

_NAMED = 5
"""Rows of a table that are named, of those that one finding is about."""

Values = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """A Parquet file of a technology that could be read. number: of `count` parts."""

    name: str
    number: int
    count: int
    table: pa.Table


def parts_of(catalog: Catalog, technology: str, findings: list[AuditFinding]) -> list[Part]:
    """Every part that is a table, and to the findings what is no such table; damaged files are found elsewhere."""
    names = manifest.part_names(technology, catalog.manifest.technologies[technology].parts)
    parts = []
    for number, name in enumerate(names):
        try:
            table = read_parquet(catalog.verified(name), name)
            check_schema(table.schema, technology, name)
        except VerificationFailed:
            continue
        except LdcatError as failure:
            findings.append(wrong("table", name, str(failure)))
            continue
        if len(table) != catalog.manifest.files[name].rows:
            findings.append(wrong("table", name, f"it has {len(table):,} rows"))
        if others := [value for value in pc.unique(table["technology"]).to_pylist() if value != technology]:
            findings.append(wrong("table", name, f"it has rows of {others[0]}"))
        parts.append(Part(name, number, len(names), table))
    return parts


def order_findings(part: Part) -> Iterator[AuditFinding]:
    """Rows that stand before a row with a lower digest, and rows of another part."""
    digests = part.table["launch_digest"].combine_chunks().cast(pa.binary())
    if len(digests) > 1:
        falls = pc.less(digests[1:], digests[:-1])
        if count := pc.sum(falls).as_py():
            yield wrong(
                "order", part.name, f"{count:,} rows have a lower digest than the one before: {_rows(falls, 1)}"
            )
    low, high = (((number << 64) // part.count) for number in (part.number, part.number + 1))
    outside = pc.less(digests, pa.scalar(low.to_bytes(8, "big"), pa.binary()))
    if high < 1 << 64:
        outside = pc.or_(outside, pc.greater_equal(digests, pa.scalar(high.to_bytes(8, "big"), pa.binary())))
    if count := pc.sum(outside).as_py():
        yield wrong("order", part.name, f"{count:,} rows belong to another part: {_rows(outside)}")


def component_findings(catalog: Catalog, parts: Sequence[Part]) -> Iterator[AuditFinding]:
    """Images, tables and profiles that rows name, and the catalog lacks."""
    known: Mapping[str, Any] = {
        "firmware_sha256": catalog.firmware,
        "kernel_hashes_sha256": catalog.kernel_hashes,
        "vmm": catalog.profiles,
    }
    for part in parts:
        for column, listed in known.items():
            for value in pc.unique(part.table[column]).to_pylist():
                if value is not None and value not in listed:
                    shown = value.hex() if isinstance(value, bytes) else value
                    yield wrong("component", part.name, f"{column} {shown} is not in the catalog")


def unique_findings(technology: str, parts: Sequence[Part]) -> Iterator[AuditFinding]:
    """Inputs that rows of a technology share."""
    if not parts:
        return
    with duckdb.connect(config={"enable_external_access": "false"}) as connection:
        connection.register("rows", pa.concat_tables([part.table.select(["launch_digest", *INPUTS]) for part in parts]))
        inputs = ", ".join(INPUTS)
        shared = connection.execute(
            f"SELECT count(*), count(DISTINCT launch_digest), {inputs} FROM rows GROUP BY {inputs} "  # noqa: S608 - ours
            "HAVING count(*) > 1 ORDER BY ALL"
        ).fetchall()
    for rows, digests, *values in shared[:_NAMED]:
        yield wrong("unique", f"{technology} {_named(values)}", f"{rows} rows, with {digests} launch digests")
    if len(shared) > _NAMED:
        yield wrong("unique", technology, f"and {len(shared) - _NAMED:,} more inputs that several rows have")


def index_findings(catalog: Catalog, technology: str, parts: Sequence[Part]) -> Iterator[AuditFinding]:
    """Each digest is looked up, and what the index says of it compared with its row."""
    name = f"{technology}/{manifest.INDEX}"
    try:
        batch = BatchIndex.open(catalog, technology)
        packed = PackedCatalog(str(catalog.folder), hashlib.sha256, catalog.manifest_sha256)
        with closing(packed):
            if batch.index.rows != sum(len(part.table) for part in parts):
                yield wrong("index", name, f"it has {batch.index.rows:,} entries")
            for part in parts:
                yield from _index_findings(batch, packed, part, name)
    except (DamagedBlock, LdcatError) as failure:
        yield wrong("index", name, str(failure))


def _index_findings(batch: BatchIndex, packed: PackedCatalog, part: Part, name: str) -> Iterator[AuditFinding]:
    digests = part.table["launch_digest"].to_pylist()
    found = batch.find(b"".join(digests))
    columns = [part.table[column].to_pylist() for column in INPUTS]
    components: dict[int, Values] = {}
    bad = 0
    for row, digest in enumerate(digests):
        said: set[Values] = set()
        if found.times[row] == 1:
            ordinal = found.ordinals[row]
            said = {_inputs_of(packed, batch.index.group_of(ordinal), ordinal, components)}
        elif found.times[row]:
            said = {
                _inputs_of(packed, batch.index.group_of(ordinal), ordinal, components)
                for ordinal in packed.indexes[part.table["technology"][0].as_py()].find(digest)
            }
        if tuple(column[row] for column in columns) not in said:
            bad += 1
            if bad <= _NAMED:
                yield wrong(
                    "index", f"{part.name} row {row}", f"{len(said) or 'no'} entries, none of them with its inputs"
                )
    if bad > _NAMED:
        yield wrong("index", name, f"and {bad - _NAMED:,} more rows of {part.name}")


def _inputs_of(packed: PackedCatalog, group: Group, ordinal: int, components: dict[int, Values]) -> Values:
    known = components.get(group.first)
    if known is None:
        table = group.kernel_hashes
        known = (
            bytes.fromhex(packed.component(IMAGES, group.firmware)),
            None if table is None else bytes.fromhex(packed.component(TABLES, table)),
            None if group.vmm is None else packed.component(PROFILES, group.vmm),
        )
        components[group.first] = known
    signature, features, vcpus = group.at(ordinal)
    return (*known, signature, features, vcpus)


def _rows(mask: Any, more: int = 0) -> str:
    """The first rows that a mask has."""
    numbers = pc.indices_nonzero(mask)[:_NAMED].to_pylist()
    return "row " + ", ".join(str(number + more) for number in numbers)


def _named(values: Sequence[Any]) -> str:
    pairs = zip(INPUTS, values, strict=True)
    return ", ".join(
        f"{name} {value.hex() if isinstance(value, bytes) else value}" for name, value in pairs if value is not None
    )
