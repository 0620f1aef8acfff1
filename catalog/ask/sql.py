"""SQL over a catalog with DuckDB: a query reads the views, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from catalog.errors import LdcatError, MalformedRecord, UsageError, shortage
from catalog.log.records import canonical_json
from catalog.store.catalog import Catalog
from catalog.store.database import NO_ROWS, create_joins, plain_views
from catalog.store.parquet import read_parquet

if TYPE_CHECKING:
    import pyarrow as pa

_NO_PYTHON_VALUE = (OverflowError, ValueError, ImportError)
"""What DuckDB raises for a query or a value that Python has no form for."""


def run_query(catalog: Catalog, query: str) -> tuple[list[str], Iterator[tuple[Any, ...]]]:
    """Column names and rows of a query over the views; it can reach no file and no network.

    Raises UsageError with DuckDB's words for a query it refuses, and what reading the components does.
    """
    import duckdb

    from catalog.ask.revoked_rows import with_revocations

    _ = catalog.firmware, catalog.launchable, catalog.kernel_hashes  # which are checked when they are read
    connection = duckdb.connect(config={"enable_external_access": "false", "lock_configuration": "true"})
    for view, names in plain_views(catalog.manifest).items():
        table = _table(catalog, names) if names else connection.sql(NO_ROWS).to_arrow_table()
        if catalog.release and "launch_digest" in table.column_names:
            table = with_revocations(table, catalog.revocations)
        connection.register(view, table)
    if catalog.release:
        connection.register("revocations", _revocations(catalog))
    try:
        create_joins(connection, catalog.manifest, published=catalog.release is not None)
    except duckdb.Error as error:
        raise MalformedRecord(f"the tables of the catalog do not fit together: {_first_line(error)}") from error
    try:
        query.encode("utf-8")
        result = connection.execute(query)
        if result is None:
            raise UsageError("the query is empty")
        columns = [column[0] for column in result.description or ()]
        first = result.fetchmany(1)
    except (duckdb.Error, *_NO_PYTHON_VALUE) as error:
        raise _refused(error) from error
    return columns, _all_rows(result, first)


def _table(catalog: Catalog, names: Sequence[str]) -> pa.Table:
    """The rows of some files, as verified, in memory."""
    import pyarrow as pa

    return pa.concat_tables([read_parquet(catalog, name) for name in names])


def _revocations(catalog: Catalog) -> pa.Table:
    """What the log that the catalog is published in revokes, in its order; selectors as JSON."""
    import pyarrow as pa

    names = ("severity", "reason", "selector")
    found = [(r.severity, r.reason, canonical_json(r.selector).decode("ascii")) for r in catalog.revocations]
    return pa.table({name: pa.array([row[n] for row in found], pa.string()) for n, name in enumerate(names)})


def _all_rows(result: Any, first: list[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    import duckdb

    rows = first
    try:
        while rows:
            yield from rows
            rows = result.fetchmany(1000)
    except (duckdb.Error, *_NO_PYTHON_VALUE) as error:
        raise _refused(error) from error


def _refused(error: Exception) -> LdcatError:
    """A query that DuckDB does not answer, or has no room for."""
    return shortage(error, "the query") or UsageError(f"query: {_first_line(error)}")


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0].rstrip(".")
