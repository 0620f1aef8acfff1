"""SQL as DuckDB parses it: statements and expressions as nested dicts ("nodes"), which it makes and runs.

An expression has a "class". Nodes are made by parsing SQL, as their fields are DuckDB's own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

Node = dict[str, Any]

BLOB_TYPES = frozenset({"blob", "bytea", "binary", "varbinary"})
TEXT_TYPES = frozenset({"varchar", "text", "string", "char", "bpchar", "nvarchar"})

_OPERATORS = {"OPERATOR_COALESCE": "coalesce", "ARRAY_SLICE": "array_slice", "ARRAY_EXTRACT": "array_extract"}


@dataclass(frozen=True)
class ParsedSql:
    """Of one DuckDB connection.

    has_others: whether other statements than SELECT are run. known: SQL and what it is parsed to, as JSON.
    """

    connection: Any
    has_others: bool
    known: dict[str, str] = field(default_factory=dict)

    def parse(self, text: str) -> Node | None:
        """One statement; None for what DuckDB gives no JSON of, which is all but SELECT."""
        (serialized,) = self.connection.execute("SELECT json_serialize_sql($1::VARCHAR)", [text]).fetchone()
        parsed: Node = json.loads(serialized)
        return None if parsed["error"] else parsed

    def run(self, parsed: Node) -> None:
        """Run a statement; raises what DuckDB does."""
        quoted = json.dumps(parsed).replace("'", "''")
        self.connection.execute(f"PRAGMA json_execute_serialized_sql('{quoted}')")

    def value(self, expression: Node) -> Any:
        """Of an expression without columns; None if it has none."""
        import duckdb

        statement = self._made("SELECT 1")
        statement["statements"][0]["node"]["select_list"] = [expression]
        try:
            self.run(statement)
            (value,) = self.connection.fetchone()
        except duckdb.Error:  # it says so when it runs the query
            return None
        return value

    def macros(self) -> set[str]:
        """Names of the macros that earlier statements of the query made; DuckDB takes long to say them."""
        if not self.has_others:
            return set()
        made = "SELECT lower(function_name) FROM duckdb_functions() WHERE NOT internal"
        return {name for (name,) in self.connection.execute(made).fetchall()}

    def text(self, value: str) -> Node:
        """The literal."""
        made: Node = self._made("SELECT 'x'")["statements"][0]["node"]["select_list"][0]
        return made | {"literal": {"kind": "STRING", "text": value}}

    def call(self, function: str, *values: Node) -> Node:
        """A function of some arguments."""
        text = f"SELECT {function}({', '.join('1' for _ in values)})"
        made: Node = self._made(text)["statements"][0]["node"]["select_list"][0]
        for argument, value in zip(made["arguments"], values, strict=True):
            argument["expression"] = value
        return made

    def call_of_columns(self, function: str, query: Node) -> Node:
        """A query for a function of each column of another, which is as it stands in a sub-query."""
        text = f"SELECT {function}(COLUMNS(*)) FROM (SELECT 1) found"  # noqa: S608
        made: Node = self._made(text)["statements"][0]
        made["node"]["from_table"]["subquery"] = query
        return made

    def _made(self, text: str) -> Node:
        if text not in self.known:
            self.known[text] = json.dumps(self.parse(text))
        made: Node = json.loads(self.known[text])
        return made


def walk_nodes(part: Any) -> Iterator[Node]:
    """A part of a statement and all that is in it."""
    left = [part]
    while left:
        one = left.pop()
        if isinstance(one, dict):
            yield one
            left += reversed(one.values())
        elif isinstance(one, list):
            left += reversed(one)


def become(node: Node, other: Node) -> None:
    """Put an expression in the place of another, under its name."""
    alias = node.get("alias", "")
    node.clear()
    node.update(other, alias=alias)


def function_name(node: Node) -> str:
    """Of a function, or of an operator that is one; nothing for any other expression."""
    if node.get("class") in ("FUNCTION", "WINDOW"):
        return str(node["function_name"]).lower()
    if node.get("class") != "OPERATOR":  # other nodes have other types: a sample has a node
        return ""
    return _OPERATORS.get(node["type"], "")


def arguments(node: Node) -> list[Node]:
    """Of what has a function name."""
    if node["class"] == "OPERATOR":
        children: list[Node] = node["children"]
        return children
    return [argument["expression"] for argument in node["arguments"]]


def is_cast(node: Node, types: frozenset[str]) -> bool:
    """Whether an expression is a cast to one of some types."""
    return node.get("class") == "CAST" and str(node["type_expr"].get("type_name", "")).lower() in types


def find_literal(node: Node) -> Node | None:
    """Kind and text of the literal that an expression is, or that it casts to a text or a BLOB."""
    while is_cast(node, BLOB_TYPES | TEXT_TYPES):
        node = node["child"]
    return node["literal"] if node.get("class") == "CONSTANT" else None


def literal_text(node: Node) -> str | None:
    """Of an expression that is a text literal; None for any other."""
    literal = find_literal(node)
    return str(literal["text"]) if literal and literal["kind"] == "STRING" else None
