"""SQL over a catalog with DuckDB: a query reads the views, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from catalog.errors import LdcatError, UsageError, shortage
from catalog.files.plain_json import canonical_json
from catalog.rows.fields import COLUMNS, DIGEST
from catalog.rows.kinds import Hash
from catalog.sql import bit_literals
from catalog.sql.hash_expressions import Columns
from catalog.sql.hash_macros import MACROS
from catalog.sql.statements import execute
from catalog.store.catalog import Catalog
from catalog.store.database import (
    columns_as_text,
    create_endorsements,
    create_joins,
    digest_view,
    hash_columns,
    nothing,
    plain_views,
)
from catalog.store.digest_parts import digest_parts
from catalog.store.parquet import read_parquet

if TYPE_CHECKING:
    import pyarrow as pa

_ENCODED = tuple(field.name for field in COLUMNS if isinstance(field.kind, Hash) and field != DIGEST)
"""Hashes that are few, so that their hex digits are made once for each and not for each row."""

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
        """Read the catalog; raises what that does."""
        import duckdb

        from catalog.store.endorsement_table import endorsement_table

        _ = (
            catalog.firmware,
            catalog.launchable,
            catalog.kernel_hashes,
            catalog.bases,
        )  # which are checked when they are read
        connection = duckdb.connect(config={"enable_external_access": "false", "lock_configuration": "true"})
        hashes = set[str]()
        try:
            for view, table in _tables(catalog, connection):
                hashes.update(hash_columns(table.schema))
                connection.from_arrow(table).project(columns_as_text(view, table.schema)).create_view(view)
            endorsed = endorsement_table(catalog.endorsements, published=catalog.release is not None)
            hashes.update(hash_columns(endorsed.schema))
            create_endorsements(connection, endorsed)
            if catalog.release:
                connection.from_arrow(_revocations(catalog)).create_view("revocations")
            create_joins(connection, catalog.manifest, catalog.profiles.values(), published=catalog.release is not None)
            for macro in (*MACROS, *bit_literals.MACROS):
                connection.execute(macro)
            found = connection.execute(
                "SELECT lower(table_name), lower(column_name) FROM duckdb_columns() WHERE NOT internal"
            ).fetchall()
        except duckdb.Error as error:
            raise _refused(error) from error
        views, names = map(frozenset, zip(*found, strict=True))
        return cls(connection, Columns(views, frozenset(hashes), names - hashes))

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


def _tables(catalog: Catalog, connection: Any) -> Iterator[tuple[str, pa.Table]]:
    """Each view that is files of the catalog: its name and its rows, as verified, in memory."""
    import pyarrow as pa

    from catalog.ask.revoked_rows import with_revocations

    technologies = {digest_view(technology): technology for technology in catalog.manifest.known}
    for view, names in plain_views(catalog.manifest).items():
        if view not in technologies:
            parts = [read_parquet(catalog, name) for name in names]
        else:
            parts = [part.table(encoded=_ENCODED) for part in digest_parts(catalog, technologies[view])]
        table = pa.concat_tables(parts) if parts else connection.sql(nothing(view)).to_arrow_table()
        is_marked = view in technologies and catalog.release is not None
        yield view, with_revocations(table, catalog.revocations) if is_marked else table


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
    return shortage(error, "the query") or UsageError(
        f"query: {_first_line(error)}",
        "ldcat sql 'SHOW TABLES' lists the views, and 'DESCRIBE configurations' the columns of one",
    )


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0].rstrip(".")
