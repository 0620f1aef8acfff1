"""Compares the rows of two catalogs: which are new, which are gone, and which have another digest for the same inputs.

Parts are sorted by digest, so one slice after the other is read, verified and compared, and only differences are kept:
memory is bounded for any number of rows.
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
"""Columns that determine a digest of a technology."""

FACTS = tuple(field.name for field in fields.FACTS)
"""Columns that follow from a component."""

IDENTITY = f"coalesce({', '.join(fields.IDENTITY)})"
"""An SQL expression for what identifies the image or the base of a row."""

ADDED, WITHDRAWN, RULE_CHANGED = "added", "withdrawn", "rule-changed"
REVOCATIONS = ("revoked", "deprecated", "restored")

_COMPONENTS = tuple(field.name for field in fields.COMPONENTS)
"""Columns with few combinations of values; each combination gets a number here."""

_COLUMNS = ("launch_digest", *INPUTS, *FACTS)
_ENCODED = [name for name in (*_COMPONENTS, *FACTS) if fields.BY_NAME[name].kind.arrow in ("string", "binary")]
"""Columns that are read as dictionaries, as they are stored."""

_AXES = {field.name: "UBIGINT" if field.kind.arrow == "uint64" else "BIGINT" for field in fields.AXES}
"""The other columns that determine a digest, with their SQL types. In tables of rows 0 stands for null."""

_NULLS = {f"no_{name}": name for name in _AXES}
"""Columns of combinations that tell null from 0, by the column of rows that they belong to."""

_KEY = ("components", *_AXES)
"""The columns that determine a digest."""

_MEMORY = "768MiB"
"""Memory limit of DuckDB; the rest is on disk."""

_TOGETHER = 4_000_000
"""Rows of each catalog that are joined by their inputs at once, approximately: more would not fit in memory."""


def comparable(old: Catalog, new: Catalog) -> tuple[list[str], list[str]]:
    """Technologies whose rows are compared, and those of which a catalog keeps distinguished digests only."""
    entries = [catalog.manifest.known for catalog in (old, new)]
    every = sorted({*entries[0], *entries[1]})
    some = [name for name in every if any(name in one and not one[name].parts for one in entries)]
    return [name for name in every if name not in some], some


@contextmanager
def row_changes(
    old: Catalog, new: Catalog, revocations: tuple[Sequence[Revocation], Sequence[Revocation]], progress: Progress
) -> Iterator[Any]:
    """A DuckDB connection with a view `changes`, of the rows that changed.

    Columns: change, technology, INPUTS, FACTS, old_digest, new_digest, revocation.
    change: added or withdrawn, with null for the missing digest; rule-changed; or revoked, deprecated or restored, for
    rows that both catalogs have.
    revocation: status of the row in the new catalog: revoked, deprecated or null.

    revocations: the revocations of the log at the old and at the new catalog.
    progress: receives numbers of rows.

    Raises VerificationFailed, Unreadable, MalformedRecord for a catalog that does not match its manifest; DiskFull,
    OutOfMemory.
    """
    import duckdb

    with scratch_folder() as folder, refused(folder), duckdb.connect(folder / "changes.duckdb") as connection:
        connection.execute(f"SET memory_limit = '{_MEMORY}'")
        connection.execute("SET force_compression = 'uncompressed'")  # digests do not compress
        connection.execute(_tables())
        combinations = _Combinations()
        for technology in comparable(old, new)[0]:
            for slices in _slices(old, new, technology):
                before, after = map(combinations.keyed, slices)
                after = after.append_column("revocation", _severities(slices[1], revocations[1]))
                _keep_differences(connection, (before, after))
                if revocations[0] != revocations[1]:
                    _keep_revoked(connection, after, _severities(slices[1], revocations[0]))
                progress(sum(map(len, slices)))
        combinations.keep(connection)
        _join(connection)
        yield connection


class _Combinations:
    """Numbers the combinations of components, from 0 on, and keeps the facts that follow from each."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[Any, ...], int] = {}
        self._facts: dict[int, tuple[Any, ...]] = {}

    def keyed(self, rows: pa.Table) -> pa.Table:
        """The rows as launch_digest and _KEY, without nulls."""
        import pyarrow as pa
        import pyarrow.compute as pc

        nulls = [pc.is_null(rows.column(name)) for name in _NULLS.values()]
        columns = [one.combine_chunks() for one in (*map(rows.column, _COMPONENTS), *nulls, *map(rows.column, FACTS))]
        columns = [one if pa.types.is_dictionary(one.type) else one.dictionary_encode() for one in columns]
        width, code = 1, pa.repeat(pa.scalar(0, pa.int64()), rows.num_rows)
        for one in columns:  # 0 is null
            code = pc.add(code, pc.multiply(pc.fill_null(pc.add(one.indices.cast(pa.int64()), 1), 0), width))
            width *= len(one.dictionary) + 1
        coded = code.dictionary_encode()
        found = (self._number(columns, value) for value in coded.dictionary.to_pylist())
        named = {"launch_digest": rows.column("launch_digest")}
        named["components"] = pa.array(found, pa.int32()).take(coded.indices)
        for name, kind in _AXES.items():
            wide = pa.uint64() if kind == "UBIGINT" else pa.int64()
            named[name] = pc.fill_null(rows.column(name).cast(wide), 0)
        return pa.table(named)

    def _number(self, columns: Sequence[Any], code: int) -> int:
        values = []
        for one in columns:
            code, index = divmod(code, len(one.dictionary) + 1)
            values.append(one.dictionary[index - 1].as_py() if index else None)
        facts = tuple(values[len(values) - len(FACTS) :])
        components = tuple(values[: len(values) - len(FACTS)])
        number = self._numbers.setdefault(components, len(self._numbers))
        if any(fact is not None for fact in facts):  # an older catalog lacks them
            self._facts[number] = facts
        return number

    def keep(self, connection: Any) -> None:
        """Write the table `combinations`."""
        import pyarrow as pa

        if self._numbers:
            none, names = (None,) * len(FACTS), (*_COMPONENTS, *_NULLS, *FACTS)
            rows = [[number, *values, *self._facts.get(number, none)] for values, number in self._numbers.items()]
            kinds = ["int32", *("bool" if name in _NULLS else fields.BY_NAME[name].kind.arrow for name in names)]
            columns = [pa.array(column, kind) for column, kind in zip(zip(*rows, strict=True), kinds, strict=True)]
            connection.register("found", pa.table(columns, ["components", *names]))
            connection.execute("INSERT INTO combinations FROM found")


def _tables() -> str:
    axes = ", ".join(f"{name} {kind}" for name, kind in _AXES.items())
    of_field = {name: fields.BY_NAME[name].kind.sql for name in (*_COMPONENTS, *FACTS)}
    kinds = {**{name: of_field[name] for name in _COMPONENTS}, **dict.fromkeys(_NULLS, "BOOLEAN"), **of_field}
    components = ", ".join(f"{name} {kind}" for name, kind in kinds.items())
    names = [name for name in INPUTS if name not in _AXES]
    columns = [f"CASE WHEN {null} THEN NULL ELSE {name} END AS {name}" for null, name in _NULLS.items()]
    return (
        f"CREATE TABLE combinations (components INTEGER, {components}); "  # noqa: S608 - our names
        f"CREATE TABLE old_alone (launch_digest BLOB, components INTEGER, {axes}); "
        f"CREATE TABLE new_alone (launch_digest BLOB, components INTEGER, {axes}, revocation VARCHAR); "
        f"CREATE TABLE revoked (change VARCHAR, launch_digest BLOB, components INTEGER, {axes}, revocation VARCHAR); "
        f"CREATE TABLE joined (change VARCHAR, components INTEGER, {axes}, old_digest BLOB, new_digest BLOB, "
        "revocation VARCHAR); "
        f"CREATE VIEW changes AS SELECT change, technology, {', '.join((*names, *columns, *FACTS))}, "
        "old_digest, new_digest, revocation FROM joined JOIN combinations USING (components)"
    )


def _keep_differences(connection: Any, slices: Sequence[pa.Table]) -> None:
    for side, table in zip(("old", "new"), slices, strict=True):
        connection.register(f"{side}_rows", table)
    for side, other in (("old", "new"), ("new", "old")):
        connection.execute(
            f"INSERT INTO {side}_alone FROM {side}_rows ANTI JOIN {other}_rows USING (launch_digest, {', '.join(_KEY)})"
        )


def _severities(rows: pa.Table, revocations: Sequence[Revocation]) -> Any:
    """The status of each row: revoked, deprecated, or null."""
    import pyarrow as pa

    if not revocations:
        return pa.nulls(rows.num_rows, pa.string())
    from catalog.ask.revoked_rows import with_revocations

    return with_revocations(rows, revocations).column("revocation")


def _keep_revoked(connection: Any, rows: pa.Table, before: Any) -> None:
    """Keep rows whose status changed. rows: keyed, with their status now. before: their status before."""
    connection.register("keyed", rows.append_column("before", before))
    connection.execute(
        "INSERT INTO revoked SELECT coalesce(revocation, 'restored'), * EXCLUDE before FROM keyed "
        "WHERE revocation IS DISTINCT FROM before"
    )


def _join(connection: Any) -> None:
    """Join the rows of both catalogs by _KEY, then add the rows of both whose status changed."""
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
    """The rows of both catalogs in slices; the digests of a slice begin with the same bits."""
    before, after = _Parts(old, technology), _Parts(new, technology)
    count = max(1, len(before.parts), len(after.parts))
    for number in range(count):
        yield before.slice(number, count), after.slice(number, count)


class _Parts:
    """The 2**n parts of a technology, each with the digests that begin with the same n bits."""

    def __init__(self, catalog: Catalog, technology: str) -> None:
        self._technology = technology
        self.parts = digest_parts(catalog, technology)
        self._loaded: tuple[int, pa.Table] | None = None

    def slice(self, number: int, count: int) -> pa.Table:
        """The rows of one of `count` slices; there are at least as many slices as parts."""
        if not self.parts:
            return self._empty()
        each = count // len(self.parts)
        part = number // each
        if self._loaded is None or self._loaded[0] != part:
            self._loaded = None  # free it before the next one is read
            self._loaded = part, self.parts[part].table(["technology", *_COLUMNS], encoded=_ENCODED)
        table = self._loaded[1]
        if each == 1:
            return table
        start, end = (self._place(table, bound, count) for bound in (number, number + 1))
        return table.slice(start, end - start)

    def _place(self, table: pa.Table, number: int, count: int) -> int:
        """Index of the first row in or behind a slice."""
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
