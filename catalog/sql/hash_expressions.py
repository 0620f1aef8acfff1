"""Which expressions of a query are hashes: columns of the views under any name, and functions of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from catalog.sql.hash_spellings import is_canonical
from catalog.sql.parsed_sql import (
    BLOB_TYPES,
    TEXT_TYPES,
    Node,
    arguments,
    function_name,
    is_cast,
    literal_text,
    walk_nodes,
)

WHOLE = {"lower", "lcase", "upper", "ucase", "trim", "hex", "to_hex", "unhex", "from_hex", "ldcat_hash", "ldcat_bytes"}
WHOLE |= {"coalesce", "ifnull", "nullif", "min", "max", "any_value", "arbitrary", "first", "last", "mode"}
WHOLE |= {"first_value", "last_value", "nth_value", "lag", "lead"}
"""Functions that give a hash for a hash, if in another spelling."""

_PART = {"left", "right", "substr", "substring", "||", "concat", "array_slice"}
"""Functions that give a part of a hash, or text around one."""

_OF_LITERALS = {"lower", "lcase", "upper", "ucase", "trim", "unhex", "from_hex", "||", "concat"}
"""Functions that may make a hash of literals."""

Sizes = frozenset[int]
"""Numbers of hex digits that a hash can have."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Names of the columns of all views: hashes, and others."""

    hashes: frozenset[str]
    others: frozenset[str]


class HashExpressions:
    """The hashes of one statement: columns of the views, also under the names that the statement gives to them."""

    def __init__(self, columns: Columns, statement: Any) -> None:
        self._names = {name: _sizes(name) for name in columns.hashes}
        count = 0
        while len(self._names) > count:
            count = len(self._names)
            for name, expression in named_expressions(statement):
                sizes = self.whole(expression)
                if name and sizes and name.lower() not in columns.others:
                    self._names.setdefault(name.lower(), sizes)

    def whole(self, node: Node) -> Sizes | None:
        """The sizes of the hash that an expression is; None if it is none."""
        kind = node.get("class")
        if kind == "COLUMN_REF":
            return self._names.get(node["column_names"][-1].lower())
        if kind == "CONSTANT":
            text = literal_text(node) or ""
            return frozenset({len(text)}) if is_canonical(text) else None
        if kind == "CAST":
            return self.whole(node["child"]) if is_cast(node, BLOB_TYPES | TEXT_TYPES) else None
        if kind == "SUBQUERY" and node["subquery_type"] == "SCALAR":
            items = node["subquery"]["node"].get("select_list", ())
            return self.whole(items[0]) if len(items) == 1 else None
        if function_name(node) in WHOLE:
            return next(filter(None, map(self.whole, arguments(node))), None)
        return None

    def part(self, node: Node) -> bool:
        """Whether an expression is made of a hash: digits of it, or text around it."""
        made = function_name(node) in _PART | WHOLE
        return made and any(self.whole(argument) or self.part(argument) for argument in arguments(node))


def is_of_literals(node: Node) -> bool:
    """Whether an expression is a literal, or made of some by functions and casts that give a text or a BLOB."""
    if is_cast(node, BLOB_TYPES | TEXT_TYPES):
        return is_of_literals(node["child"])
    if function_name(node) in _OF_LITERALS:
        return all(map(is_of_literals, arguments(node)))
    return node.get("class") == "CONSTANT"


def _sizes(column: str) -> Sizes:
    """By the name of a column of a view."""
    return frozenset({64} if column.endswith("sha256") else {96} if column.endswith("sha384") else {64, 96})


def named_expressions(statement: Any) -> Iterator[tuple[str, Node]]:
    """Expressions to which a statement gives names."""
    for node in walk_nodes(statement):
        for item in node.get("select_list", ()):
            yield item.get("alias", ""), item
        for names, query in _renamed(node):
            yield from zip(names, query.get("select_list", ()), strict=False)


def _renamed(node: Node) -> Iterator[tuple[Sequence[str], Node]]:
    """Names for the columns of a query, in their order, and that query: WITH name(a, b) AS, (SELECT ...) name(a, b)."""
    if "cte_map" in node:
        for entry in node["cte_map"].get("map", ()):
            yield entry["value"]["aliases"], entry["value"]["query_node"]
    if node.get("type") == "SUBQUERY" and "column_name_alias" in node:
        yield node["column_name_alias"], node["subquery"]["node"]
