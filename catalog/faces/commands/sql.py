"""`ldcat sql`: ask a catalog in SQL, or make a local database of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from catalog.errors import UsageError
from catalog.faces import render
from catalog.faces.options import CatalogOption, TableFormatOption, default_catalog, require
from catalog.faces.render import Format
from catalog.query.sql import run_query, write_database
from catalog.query.store import Catalog


def command(
    query: Annotated[
        str | None,
        typer.Argument(
            metavar="QUERY",
            help="SQL over configurations, launch_digests, firmware, launchable, kernel_hashes.",
        ),
    ] = None,
    catalog: CatalogOption = None,
    database: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write a DuckDB file of views over the catalog instead; it is never published.",
        ),
    ] = None,
    output: TableFormatOption = Format.TABLE,
) -> None:
    """Ask a catalog in SQL (DuckDB). A query reads the catalog and nothing else."""
    require(output, Format.TABLE, Format.JSON, Format.JSONL, Format.CSV)
    if (query is None) == (database is None):
        raise UsageError("give a query, or --database FILE", "for example: ldcat sql 'FROM configurations LIMIT 3'")
    opened = Catalog.open(catalog or default_catalog())
    if database is not None:
        write_database(opened, database)
        render.line(str(database))
        return
    columns, rows = run_query(opened, query or "")
    shown = ([_plain(value) for value in row] for row in rows)
    if output is Format.TABLE:
        render.table(columns, shown)
    elif output is Format.CSV:
        render.csv_rows(columns, shown)
    elif output is Format.JSON:
        render.json_document([dict(zip(columns, row, strict=True)) for row in shown])
    else:
        render.json_lines(dict(zip(columns, row, strict=True)) for row in shown)


def _plain(value: Any) -> Any:
    """Bytes as hex; what JSON has no form for as text."""
    if isinstance(value, bytes):
        return value.hex()
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
