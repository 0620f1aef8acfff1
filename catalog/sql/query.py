"""SQL over a catalog with DuckDB: a query reads the views, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from catalog.errors import LdcatError, MalformedRecord, UsageError, shortage
from catalog.log.records import canonical_json
from catalog.sql.hash_expressions import Columns
from catalog.sql.hash_literals import MACROS
from catalog.sql.statements import execute
from catalog.store.catalog import Catalog
from catalog.store.database import NO_ROWS, create_joins, hash_columns, hashes_as_text, plain_views
from catalog.store.parquet import open_parquet, parquet_errors

if TYPE_CHECKING:
    import pyarrow as pa

_NO_PYTHON_VALUE = (OverflowError, ValueError, ImportError)
"""What DuckDB raises for a query or a value that Python has no form for."""


def run_query(catalog: Catalog, query: str) -> tuple[list[str], Iterator[tuple[Any, ...]]]:
    """Column names and rows of a query over the views; it can reach no file and no network.

    Hashes may be written in any spelling (hash_literals.py). Raises UsageError with DuckDB's words for a query that it
    refuses, UsageError for one that compares a hash with what is no hash, and what reading the components does.
    """
    return Views.of(catalog).run(query)


@dataclass(frozen=True)
class Views:
    """The views of a catalog, in a DuckDB connection that reaches nothing else."""

    connection: Any
    columns: Columns

    @classmethod
    def of(cls, catalog: Catalog) -> Views:
        """Read the catalog; raises what reading its components does, and MalformedRecord if they do not fit."""
        import duckdb

        from catalog.ask.revoked_rows import with_revocations

        _ = catalog.firmware, catalog.launchable, catalog.kernel_hashes  # which are checked when they are read
        connection = duckdb.connect(config={"enable_external_access": "false", "lock_configuration": "true"})
        hashes = set[str]()
        try:
            for view, names in plain_views(catalog.manifest).items():
                table = _table(catalog, names) if names else connection.sql(NO_ROWS).to_arrow_table()
                if catalog.release and "launch_digest" in table.column_names:
                    table = with_revocations(table, catalog.revocations)
                hashes.update(hash_columns(table.schema))
                connection.from_arrow(table).project(hashes_as_text(table.schema)).create_view(view)
            if catalog.release:
                connection.from_arrow(_revocations(catalog)).create_view("revocations")
            create_joins(connection, catalog.manifest, published=catalog.release is not None)
        except duckdb.Error as error:
            raise MalformedRecord(f"the tables of the catalog do not fit together: {_first_line(error)}") from error
        for macro in MACROS:
            connection.execute(macro)
        found = connection.execute("SELECT column_name FROM duckdb_columns() WHERE NOT internal").fetchall()
        return cls(connection, Columns(frozenset(hashes), frozenset(name for (name,) in found) - hashes))

    def run(self, query: str) -> tuple[list[str], Iterator[tuple[Any, ...]]]:
        """As `run_query`."""
        import duckdb

        try:
            query.encode("utf-8")
            columns = execute(self.connection, query, self.columns)
            first = self.connection.fetchmany(1)
        except (duckdb.Error, *_NO_PYTHON_VALUE) as error:
            raise _refused(error) from error
        return columns, _all_rows(self.connection, first)


def _table(catalog: Catalog, names: Sequence[str]) -> pa.Table:
    """The rows of some files, as verified, in memory; hashes of components as codes and a dictionary."""
    import pyarrow as pa

    return pa.concat_tables([_coded(catalog, name) for name in names])


def _coded(catalog: Catalog, name: str) -> pa.Table:
    data = catalog.verified(name)
    with parquet_errors(name):
        columns = hash_columns(open_parquet(catalog, name, data).schema_arrow)
        coded = [column for column in columns if column != "launch_digest"]
        return open_parquet(catalog, name, data, read_dictionary=coded).read(use_threads=False)


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
