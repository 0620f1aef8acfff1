"""The statements of a query, run in their order by DuckDB; hash literals may be in any spelling (hash_literals.py).

DuckDB gives SELECT statements as JSON and no others. Others, as EXPLAIN, PIVOT and CREATE TEMP TABLE, run as they are,
if every hash in them is hex digits, in any case, as the collation ignores it.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

from catalog.errors import UsageError
from catalog.sql.bit_literals import BitLiterals, mentioned, refuse_other_spelling
from catalog.sql.hash_expressions import Columns
from catalog.sql.hash_literals import HashLiterals
from catalog.sql.hash_spellings import canonical_hash
from catalog.sql.parsed_sql import Node, ParsedSql, walk_nodes

_BLOBS = {"unhex", "from_hex", "blob", "bytea", "binary", "varbinary"}
"""Words of a statement that makes a BLOB, which equals no text."""


def execute(connection: Any, query: str, columns: Columns) -> list[str]:
    """Run a query; the column names of its last statement, whose rows the connection has.

    Raises UsageError for an empty query and for a hash that is compared with what is no hash; and DuckDB's errors.
    """
    import duckdb

    statements = connection.extract_statements(query)
    if not statements:
        raise UsageError("the query is empty")
    has_others = any(one.type != duckdb.StatementType.SELECT for one in statements)
    sql, names = ParsedSql(connection, has_others), list[str]()
    for statement in statements:
        names = _run(sql, statement.query, columns)
    return names


def _run(sql: ParsedSql, text: str, columns: Columns) -> list[str]:
    """Run one statement; the names of its columns."""
    try:
        parsed = sql.parse(text)
        selected = _selected(parsed) if parsed else None
        rewritten = _rewritten(sql, parsed, text, columns)
    except RecursionError:  # so deep that only DuckDB reads it
        _refuse_other_spellings(text, columns)
        rewritten = None
    if rewritten is None:
        sql.connection.execute(text)
        return [column[0] for column in sql.connection.description or ()]
    names = [] if selected and selected == _selected(rewritten) else _names(sql.connection, text)
    sql.run(rewritten)
    return names or [column[0] for column in sql.connection.description]


def _rewritten(sql: ParsedSql, parsed: Node | None, text: str, columns: Columns) -> Node | None:
    """The statement with its hash literals as hash columns have them; None if it can stay as it is written."""
    if parsed is None:
        _refuse_other_spellings(text, columns)
        return None
    written = json.dumps(parsed)
    HashLiterals(_with_tables(sql.connection, parsed, columns), sql, parsed).rewrite()
    BitLiterals(columns.others, sql, parsed).rewrite()
    return None if json.dumps(parsed) == written else parsed


def _selected(parsed: Node) -> str:
    """The expressions that name the columns of a query, as JSON; nothing if others do, or what a * stands for."""
    items = parsed["statements"][0]["node"].get("select_list", [])
    return "" if not items or any(node.get("class") == "STAR" for node in walk_nodes(items)) else json.dumps(items)


def _with_tables(connection: Any, parsed: Node, columns: Columns) -> Columns:
    """The columns of the tables that an earlier statement made may have the names of hashes, and be none."""
    tables = {one["table_name"].lower() for one in walk_nodes(parsed) if one.get("type") == "BASE_TABLE"}
    if not tables - columns.views:
        return columns
    made = "SELECT lower(column_name) FROM duckdb_columns() WHERE NOT internal AND list_contains($1, lower(table_name))"
    found = connection.execute(made, [sorted(tables - columns.views)]).fetchall()
    return replace(columns, others=columns.others | {name for (name,) in found})


def _names(connection: Any, text: str) -> list[str]:
    """The columns of a query as it was written, if DuckDB takes it as it was written: asking binds it once more."""
    import duckdb

    try:
        return list(connection.sql(text).columns)
    except duckdb.Error:
        return []


def _refuse_other_spellings(text: str, columns: Columns) -> None:
    """Raises UsageError for a statement that is not parsed and has a hash that no hash column would equal."""
    import duckdb

    data, words = text.encode(), set[str]()
    found = duckdb.tokenize(text)
    for (start, kind), (end, _) in zip(found, [*found[1:], (len(data), None)], strict=True):
        token = data[start:end].decode().strip()
        words.add(token.strip('"').lower())
        if kind != duckdb.token_type.string_const:
            continue
        body = re.sub(r"^[ex]?['$]+|['$]+$", "", token, flags=re.IGNORECASE)
        refuse_other_spelling(body, mentioned(text))
        is_blob = token[:1] in ("x", "X")
        if (hash_text := canonical_hash(body)) and (is_blob or body.lower() != hash_text):
            raise UsageError(
                f"query: the hash {body} is read in SELECT statements only",
                f"in other statements write it as hash columns have it: '{hash_text}'",
            )
        if words & columns.hashes and body.lower() in ("0x", "\\x"):
            raise UsageError(
                f"query: {body} before a hash is read in SELECT statements only",
                "in other statements write hashes as hash columns have them: hex digits alone",
            )
    if words & _BLOBS and (words & columns.hashes or "execute" in words):
        raise UsageError(
            "query: a BLOB is compared with a hash in SELECT statements only", "hash columns are text: lower-case hex"
        )
