"""`ldcat sql`: run an SQL query on a catalog, or write a database of its views."""

from __future__ import annotations

from itertools import islice
from math import isfinite
from pathlib import Path
from typing import Annotated, Any, Literal

from catalog.cli.catalogs import open_named
from catalog.cli.declare.declared import Argument, Option
from catalog.cli.help_form import RELEASE_CODES, Example, Group
from catalog.cli.options import FORMAT, CatalogOption, QuietOption, SkipVerifyOption, TrustOption, named_path
from catalog.errors import UsageError
from catalog.sql.query import run_query
from catalog.store.database import write_database
from catalog.terminal import render
from catalog.terminal.render import Format

HELP_ORDER = 60
HELP_GROUP = Group.GUEST_OWNERS
EXAMPLES = (
    Example(
        "ldcat sql 'SELECT technology, count(*) FROM launch_digests GROUP BY technology'",
        "Count launch digests by technology",
    ),
    Example("ldcat sql 'FROM configurations' --format csv > configurations.csv", "Export all configurations"),
)
EXIT_CODES = RELEASE_CODES

MAX_TABLE_ROWS = 1000
"""Rows of a table, all of which are kept in memory: columns are as wide as their widest cell."""


def command(
    query: Annotated[
        str | None,
        Argument(
            metavar="QUERY",
            help="SQL query over the views configurations, launch_digests, firmware, launchable, kernel_hashes, and "
            "revocations if there is a log.",
        ),
    ] = None,
    catalog: CatalogOption = None,
    database: Annotated[
        Path | None,
        Option(
            parser=named_path,
            metavar="FILE",
            help="Write a DuckDB file with the views instead of running a query. Not for published releases.",
        ),
    ] = None,
    trust: TrustOption = None,
    skip_verify: SkipVerifyOption = False,
    output: Annotated[Literal[Format.TABLE, Format.JSON, Format.JSONL, Format.CSV], FORMAT] = Format.TABLE,
    quiet: QuietOption = False,
) -> None:
    """Run an SQL query (DuckDB) on a catalog.

    A query reads the catalog and nothing else.
    """
    if (query is None) == (database is None):
        raise UsageError("give a query, or --database FILE", "for example: ldcat sql 'FROM configurations LIMIT 3'")
    opened = open_named(catalog, trust, skip=skip_verify, quiet=quiet)
    if opened.revocations:
        render.warning("the log revokes or deprecates some rows: the column revocation says which")
    if database is not None:
        if opened.release:
            raise UsageError(
                "--database is not for a published release: a database is not verified before each query",
                "ldcat sql QUERY verifies the release, and --format csv exports its rows",
            )
        opened.verify()
        write_database(opened, database)
        render.exact(str(database))
        return
    columns, rows = run_query(opened, query or "")
    if output in (Format.JSON, Format.JSONL) and len(set(columns)) < len(columns):
        raise UsageError("two columns have the same name, and JSON would lose one of them", "name them with AS")
    shown = ([_plain(value) for value in row] for row in rows)
    if output is Format.TABLE:
        render.table(columns, islice(shown, MAX_TABLE_ROWS))
        if next(shown, None) is not None:
            render.warning(f"there are more rows than the {MAX_TABLE_ROWS:,} shown; --format csv or jsonl shows all")
    elif output is Format.CSV:
        render.csv_rows(columns, shown)
    elif output is Format.JSON:
        render.json_document([dict(zip(columns, row, strict=True)) for row in shown])
    else:
        render.json_lines(dict(zip(columns, row, strict=True)) for row in shown)


def _plain(value: Any) -> Any:
    """A value that JSON has: bytes become hex, anything else that JSON does not have becomes text."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    known = value is None or isinstance(value, bool | int | str) or (isinstance(value, float) and isfinite(value))
    return value if known else str(value)
