"""Rows of two catalogs compared: which are new, which are gone, and which have the same inputs and another digest.

Parts are sorted by their digests, so that one slice after the other is read, verified and compared, and only what
differs is kept: memory is bounded whatever the number of rows.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from catalog.rows import fields
from catalog.store.catalog import Catalog
from catalog.store.digest_parts import digest_parts
from catalog.store.duckdb_scratch import refused, scratch_folder
from catalog.work.progress import Progress

if TYPE_CHECKING:
    import pyarrow as pa

    from catalog.log.revocation_list import Revocation

INPUTS = tuple(field.name for field in fields.INPUTS if field.name != "technology")
"""Columns that determine a digest of a technology, besides those that follow from them."""

FACTS = tuple(field.name for field in fields.FACTS)
"""Columns that follow from a component."""

ADDED, WITHDRAWN, RULE_CHANGED = "added", "withdrawn", "rule-changed"
REVOCATIONS = ("revoked", "deprecated", "restored")

_COMPONENTS = tuple(field.name for field in fields.COMPONENTS)
"""Columns of which few combinations occur: each is a number here."""

_COLUMNS = ("launch_digest", *INPUTS, *FACTS)
_ENCODED = [name for name in (*_COMPONENTS, *FACTS) if fields.BY_NAME[name].kind.arrow in ("string", "binary")]
"""Columns that are read as the dictionaries that they are in a file."""

_AXES = {field.name: "UBIGINT" if field.kind.arrow == "uint64" else "BIGINT" for field in fields.AXES}
"""The others, and what stands for null there: no signature is above 32 bits; where there is no profile, neither are
sev_features nor vCPUs.
"""
_NULLS = {"vcpu_signature": 1 << 32, "sev_features": 0, "vcpus": 0}

_KEY = ("components", *_AXES)
"""What determines a digest."""

_MEMORY = "768MiB"
"""Of DuckDB; what is more is on the disk."""

_TOGETHER = 4_000_000
"""Rows of each catalog that are compared by their inputs at once, about: more would not stay in memory."""


def comparable(old: Catalog, new: Catalog) -> tuple[list[str], list[str]]:
    """Technologies whose rows are compared, and those of which a catalog keeps distinguished digests only."""
    entries = [catalog.manifest.known for catalog in (old, new)]
    every = sorted({*entries[0], *entries[1]})
    some = [name for name in every if any(name in one and not one[name].parts for one in entries)]
    return [name for name in every if name not in some], some


@contextmanager
def row_changes(
    old: Catalog, new: Catalog, said: tuple[Sequence[Revocation], Sequence[Revocation]], progress: Progress
) -> Iterator[Any]:
    """A DuckDB connection with a view `changes`: change, technology, INPUTS, old_digest, new_digest, revocation.

    change: added, withdrawn or rule-changed; a digest that there is none of is null. Or revoked, deprecated or
    restored, of rows that both have, with both digests as they are. revocation: revoked or deprecated, of a row that
    is so in the new catalog; null of others. said: what a log says at the old one and at the new one. progress: told of
    rows. Raises VerificationFailed, Unreadable, MalformedRecord for a catalog that is not what its manifest says;
    DiskFull, OutOfMemory.
    """
    import duckdb

    with scratch_folder() as folder, refused(folder), duckdb.connect(folder / "changes.duckdb") as connection:
        connection.execute(f"SET memory_limit = '{_MEMORY}'")
        connection.execute("SET force_compression = 'uncompressed'")  # digests are not to be compressed
        connection.execute(_tables())
        combinations = _Combinations()
        for technology in comparable(old, new)[0]:
            for slices in _slices(old, new, technology):
                before, after = map(combinations.keyed, slices)
                after = after.append_column("revocation", _severities(slices[1], said[1]))
                _keep_differences(connection, (before, after))
                if said[0] != said[1]:
                    _keep_revoked(connection, after, _severities(slices[1], said[0]))
                progress(sum(map(len, slices)))
        combinations.keep(connection)
        _join(connection)
        yield connection


class _Combinations:
    """The number of each combination of components, from 0 on, and the facts that follow from it."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[Any, ...], int] = {}
        self._facts: dict[int, tuple[Any, ...]] = {}

    def keyed(self, rows: pa.Table) -> pa.Table:
        """launch_digest and _KEY of rows, without nulls."""
        import pyarrow as pa
        import pyarrow.compute as pc

        columns = [rows.column(name).combine_chunks() for name in (*_COMPONENTS, *FACTS)]
        columns = [one if pa.types.is_dictionary(one.type) else one.dictionary_encode() for one in columns]
        width, code = 1, pa.repeat(pa.scalar(0, pa.int64()), rows.num_rows)
        for one in columns:  # 0 is null
            code = pc.add(code, pc.multiply(pc.fill_null(pc.add(one.indices.cast(pa.int64()), 1), 0), width))
            width *= len(one.dictionary) + 1
        coded = code.dictionary_encode()
        found = (self._number(columns, value) for value in coded.dictionary.to_pylist())
        named = {"launch_digest": rows.column("launch_digest")}
        named["components"] = pa.array(found, pa.int32()).take(coded.indices)
        for name, null in _NULLS.items():
            column = rows.column(name)
            wide = pa.uint64() if name == "sev_features" else pa.int64()
            named[name] = pc.fill_null(column.cast(wide), null)
        return pa.table(named)

    def _number(self, columns: Sequence[Any], code: int) -> int:
        values = []
        for one in columns:
            code, index = divmod(code, len(one.dictionary) + 1)
            values.append(one.dictionary[index - 1].as_py() if index else None)
        components, facts = tuple(values[: len(_COMPONENTS)]), tuple(values[len(_COMPONENTS) :])
        number = self._numbers.setdefault(components, len(self._numbers))
        if any(fact is not None for fact in facts):  # an older catalog lacks them
            self._facts[number] = facts
        return number

    def keep(self, connection: Any) -> None:
        """As the table `combinations`."""
        if self._numbers:
            none = (None,) * len(FACTS)
            rows = [[number, *values, *self._facts.get(number, none)] for values, number in self._numbers.items()]
            places = ", ".join("?" * len(rows[0]))
            connection.executemany(f"INSERT INTO combinations VALUES ({places})", rows)  # noqa: S608 - question marks


def _tables() -> str:
    axes = ", ".join(f"{name} {kind}" for name, kind in _AXES.items())
    components = ", ".join(f"{name} {fields.BY_NAME[name].kind.sql}" for name in (*_COMPONENTS, *FACTS))
    names = [name for name in INPUTS if name not in _AXES]
    told = [
        f"CASE WHEN {f'vcpu_signature = {_NULLS[name]}' if name == 'vcpu_signature' else 'vmm IS NULL'} THEN NULL "
        f"ELSE {name} END AS {name}"
        for name in _AXES
    ]
    return (
        f"CREATE TABLE combinations (components INTEGER, {components}); "  # noqa: S608 - our names
        f"CREATE TABLE old_alone (launch_digest BLOB, components INTEGER, {axes}); "
        f"CREATE TABLE new_alone (launch_digest BLOB, components INTEGER, {axes}, revocation VARCHAR); "
        f"CREATE TABLE revoked (change VARCHAR, launch_digest BLOB, components INTEGER, {axes}, revocation VARCHAR); "
        f"CREATE TABLE joined (change VARCHAR, components INTEGER, {axes}, old_digest BLOB, new_digest BLOB, "
        "revocation VARCHAR); "
        f"CREATE VIEW changes AS SELECT change, technology, {', '.join((*names, *told, *FACTS))}, "
        "old_digest, new_digest, revocation FROM joined JOIN combinations USING (components)"
    )


def _keep_differences(connection: Any, slices: Sequence[pa.Table]) -> None:
    for side, table in zip(("old", "new"), slices, strict=True):
        connection.register(f"{side}_rows", table)
    for side, other in (("old", "new"), ("new", "old")):
        connection.execute(
            f"INSERT INTO {side}_alone FROM {side}_rows ANTI JOIN {other}_rows USING (launch_digest, {', '.join(_KEY)})"
        )


def _severities(rows: pa.Table, said: Sequence[Revocation]) -> Any:
    """Of each row; null for those that are live."""
    import pyarrow as pa

    if not said:
        return pa.nulls(rows.num_rows, pa.string())
    from catalog.ask.revoked_rows import with_revocations

    return with_revocations(rows, said).column("revocation")


def _keep_revoked(connection: Any, rows: pa.Table, before: Any) -> None:
    """rows: keyed, with what is said of them now. before: what was said of them."""
    connection.register("keyed", rows.append_column("before", before))
    connection.execute(
        "INSERT INTO revoked SELECT coalesce(revocation, 'restored'), * EXCLUDE before FROM keyed "
        "WHERE revocation IS DISTINCT FROM before"
    )


def _join(connection: Any) -> None:
    """Rows of both catalogs by what determines their digests; then what was revoked of rows that both have."""
    key = ", ".join(_KEY)
    (most,) = connection.execute(
        "SELECT greatest((SELECT count(*) FROM old_alone), (SELECT count(*) FROM new_alone))"
    ).fetchone()
    times = most // _TOGETHER + 1
    for turn in range(times):
        some = f"WHERE hash({key}) % {times} = {turn}"
        connection.execute(
            "INSERT INTO joined SELECT "  # noqa: S608 - our names
            f"CASE WHEN a.launch_digest IS NULL THEN '{ADDED}' WHEN b.launch_digest IS NULL THEN '{WITHDRAWN}' "
            f"ELSE '{RULE_CHANGED}' END, {', '.join(f'coalesce(a.{name}, b.{name})' for name in _KEY)}, "
            f"a.launch_digest, b.launch_digest, b.revocation FROM (FROM old_alone {some}) a "
            f"FULL JOIN (FROM new_alone {some}) b USING ({key})"
        )
    connection.execute(
        f"INSERT INTO joined SELECT change, {key}, launch_digest, launch_digest, revocation FROM revoked "  # noqa: S608
        f"ANTI JOIN new_alone USING (launch_digest, {key})"
    )


def _slices(old: Catalog, new: Catalog, technology: str) -> Iterator[tuple[pa.Table, pa.Table]]:
    """The rows of both, those with digests that begin alike at once."""
    before, after = _Parts(old, technology), _Parts(new, technology)
    count = max(1, len(before.parts), len(after.parts))
    for number in range(count):
        yield before.slice(number, count), after.slice(number, count)


class _Parts:
    """The parts of a technology, of which there are 2**n: each has the digests that begin with n bits."""

    def __init__(self, catalog: Catalog, technology: str) -> None:
        self._technology = technology
        self.parts = digest_parts(catalog, technology)
        self._loaded: tuple[int, pa.Table] | None = None

    def slice(self, number: int, count: int) -> pa.Table:
        """The rows of one of `count` slices; there are not fewer slices than parts."""
        if not self.parts:
            return self._empty()
        each = count // len(self.parts)
        part = number // each
        if self._loaded is None or self._loaded[0] != part:
            self._loaded = None  # else there were two of them
            self._loaded = part, self.parts[part].table(["technology", *_COLUMNS], encoded=_ENCODED)
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

    def _empty(self) -> pa.Table:
        from catalog.launch.technology import technology_named
        from catalog.rows.arrow import digest_schema

        schema = digest_schema(self._technology, technology_named(self._technology).digest_size)
        return schema.empty_table().select(["technology", *_COLUMNS])
