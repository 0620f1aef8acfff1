"""SQL over a catalog with DuckDB: views and joins, in memory or as a local database file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from catalog.errors import MalformedRecord, UsageError
from catalog.query.store import Catalog, read_parquet
from catalog.release import manifest
from catalog.release.inputs import unreadable

CONFIGURATIONS = """
SELECT lower(hex(d.launch_digest)) AS launch_digest, d.technology, f.name AS firmware,
       f.package, f.version AS package_version, k.name AS kernel_hashes, k.append,
       f.kernel_hashes_enforced, d.vmm, d.vcpus,
       printf('0x%08x', d.vcpu_signature) AS vcpu_signature, printf('0x%x', d.sev_features) AS sev_features,
       l.verdict AS launchable
FROM launch_digests d
JOIN firmware f ON f.sha256 = d.firmware_sha256
LEFT JOIN kernel_hashes k ON k.table_sha256 = d.kernel_hashes_sha256
LEFT JOIN launchable l ON l.firmware = f.name AND l.technology = d.technology
"""
"""Every row with the names of its components: the view most questions are asked of."""


def run_query(catalog: Catalog, query: str) -> tuple[list[str], Iterator[tuple[Any, ...]]]:
    """Column names and rows of a query over the views; it can reach no file and no network.

    Raises UsageError with DuckDB's words for a query it refuses.
    """
    import duckdb

    connection = duckdb.connect(config={"enable_external_access": "false", "lock_configuration": "true"})
    for view, name in _views(catalog).items():
        connection.register(view, read_parquet(catalog.verified(name), name))
    _create_joins(connection, catalog)
    try:
        result = connection.execute(query)
        columns = [column[0] for column in result.description or ()]
        first = result.fetchmany(1)
    except duckdb.Error as error:
        raise UsageError(f"query: {_first_line(error)}") from error
    return columns, _all_rows(result, first)


def write_database(catalog: Catalog, path: Path) -> None:
    """Write a DuckDB file of views over the catalog's Parquet files, where the catalog stands now.

    Raises UsageError where a file is there already, Unreadable where the system refuses.
    """
    import duckdb

    if path.exists():
        raise UsageError(f"{path} is there already", "remove it first; it is made anew from the catalog")
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.unlink(missing_ok=True)
        with duckdb.connect(partial) as connection:
            for view, name in _views(catalog).items():
                quoted = str((catalog.folder / name).resolve()).replace("'", "''")
                connection.execute(f"CREATE VIEW {view} AS SELECT * FROM read_parquet('{quoted}')")  # noqa: S608
            _create_joins(connection, catalog)
        partial.rename(path)
    except (OSError, duckdb.IOException) as error:
        raise unreadable(path, error) from error
    finally:
        partial.unlink(missing_ok=True)


def _views(catalog: Catalog) -> dict[str, str]:
    """Name of each plain view, and the file of the catalog behind it."""
    return _digest_views(catalog) | {
        "firmware": manifest.FIRMWARE,
        "launchable": manifest.LAUNCHABLE,
        "kernel_hashes": manifest.KERNEL_HASHES,
    }


def _digest_views(catalog: Catalog) -> dict[str, str]:
    names = {name: catalog.digest_file(name) for name in catalog.manifest.technologies}
    views = {f"launch_digests_{name.replace('-', '_')}": path for name, path in names.items() if path}
    if not views:
        raise MalformedRecord("the catalog holds no launch digest")
    return views


def _create_joins(connection: Any, catalog: Catalog) -> None:
    union = " UNION ALL ".join(f"SELECT * FROM {view}" for view in _digest_views(catalog))  # noqa: S608
    connection.execute(f"CREATE VIEW launch_digests AS {union}")
    connection.execute(f"CREATE VIEW configurations AS {CONFIGURATIONS}")


def _all_rows(result: Any, first: list[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    import duckdb

    rows = first
    try:
        while rows:
            yield from rows
            rows = result.fetchmany(1000)
    except duckdb.Error as error:
        raise UsageError(f"query: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0].rstrip(".")
