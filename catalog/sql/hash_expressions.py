"""Which expressions of a query certainly are hashes: columns of the views under any name, and functions of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from catalog.sql.hash_spellings import canonical_hash
from catalog.sql.parsed_sql import (
    BLOB_TYPES,
    TEXT_TYPES,
    Node,
    ParsedSql,
    arguments,
    function_name,
    is_cast,
    walk_nodes,
)

_FIRST = {"lower", "lcase", "upper", "ucase", "trim", "hex", "to_hex", "unhex", "from_hex", "ldcat_hash", "ldcat_bytes"}
_FIRST |= {"nullif", "min", "max", "any_value", "arbitrary", "first", "last", "mode"}
_FIRST |= {"first_value", "last_value", "nth_value"}
"""Functions that give a hash for a hash, which is their first argument, if in another spelling."""

_OF_ALL = {"coalesce", "ifnull", "lag", "lead"}
"""Functions that give one of their arguments, which is a hash if all are; a lag of 1 is none, but its default is."""

WHOLE = _FIRST | _OF_ALL
"""Functions that give a value for a value."""

_TEXT = {"||", "concat", "concat_ws", "format", "printf"}
_PART = {"left", "right", "substr", "substring", "array_slice"} | _TEXT
"""Functions that give a part of a hash, or text around one."""

_OF_LITERALS = {"lower", "lcase", "upper", "ucase", "trim", "unhex", "from_hex", "||", "concat"}
"""Functions that may make a hash of literals."""

_OF_BYTES = {"unhex", "from_hex", "ldcat_bytes"}

Sizes = frozenset[int]
"""Numbers of hex digits that a hash can have."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Names of the columns of all views: hashes, and others, which are those of the tables of a query, too."""

    views: frozenset[str]
    hashes: frozenset[str]
    others: frozenset[str]


class HashExpressions:
    """The hashes of one statement: columns of the views, also under the names that the statement gives to them.

    A name that the statement also gives to something else, or to what is not known, is no hash.
    """

    def __init__(self, columns: Columns, statement: Any) -> None:
        given = defaultdict[str, list[Node | None]](list)
        for name, expression in named_expressions(statement):
            given[name.lower()].append(expression)
        self._given = {name: nodes for name, nodes in given.items() if name and name not in columns.others}
        self._names = {name: _sizes(name) for name in columns.hashes - columns.others}
        while found := {name: sizes for name in self._given.keys() - self._names if (sizes := self._of_all(name))}:
            self._names |= found
        while lost := [name for name in self._names.keys() & self._given if not self._of_all(name)]:
            for name in lost:
                del self._names[name]
        self._bytes, self._texts = set[str](), set[str]()
        for names, is_such in ((self._bytes, self.is_bytes), (self._texts, self.has_text)):
            while found_names := {name for name in self._given.keys() - names if self._is_any(name, is_such)}:
                names |= found_names

    def _is_any(self, name: str, is_such: Callable[[Node], bool]) -> bool:
        return any(node is not None and is_such(node) for node in self._given[name])

    def _of_all(self, name: str) -> Sizes | None:
        found = [self.whole(node) if node else None for node in self._given[name]]
        return found[0] if all(found) else None

    def whole(self, node: Node) -> Sizes | None:
        """The sizes of the hash that an expression certainly is; None if it is none."""
        kind, name = node.get("class"), function_name(node)
        if kind == "COLUMN_REF":
            return self._names.get(node["column_names"][-1].lower())
        if kind == "COLLATE" or is_cast(node, BLOB_TYPES | TEXT_TYPES):
            return self.whole(node["child"])
        if kind == "SUBQUERY" and node["subquery_type"] == "SCALAR":
            items = node["subquery"]["node"].get("select_list", ())
            return self.whole(items[0]) if len(items) == 1 else None
        if name in _FIRST:
            return next(map(self.whole, arguments(node)), None)
        if name in _OF_ALL:
            values = arguments(node)
            found = [self.whole(one) for one in (values[:1] + values[2:] if name in ("lag", "lead") else values)]
            return found[0] if found and all(found) else None
        return None

    def is_bytes(self, node: Node) -> bool:
        """Whether a hash is a BLOB and no text."""
        if node.get("class") == "COLUMN_REF":
            return node["column_names"][-1].lower() in self._bytes
        if is_cast(node, BLOB_TYPES) or function_name(node) in _OF_BYTES:
            return True
        if function_name(node) in ("hex", "to_hex", "ldcat_hash") or is_cast(node, TEXT_TYPES):
            return False
        if function_name(node) in WHOLE:
            return any(map(self.is_bytes, arguments(node)[:1]))
        return False

    def part(self, node: Node) -> bool:
        """Whether an expression is made of a hash: digits of it, or text around it."""
        made = function_name(node) in _PART | _FIRST
        return made and any(self.whole(argument) or self.part(argument) for argument in arguments(node))

    def has_text(self, node: Node) -> bool:
        """Whether an expression puts text around something: it may begin with 0x."""
        if node.get("class") == "COLUMN_REF":
            return node["column_names"][-1].lower() in self._texts
        name = function_name(node)
        return name in _TEXT or (name in _PART | _FIRST and any(map(self.has_text, arguments(node))))


def is_of_literals(node: Node) -> bool:
    """Whether an expression is a literal, or made of some by functions and casts that give a text or a BLOB."""
    if is_cast(node, BLOB_TYPES | TEXT_TYPES):
        return is_of_literals(node["child"])
    if function_name(node) in _OF_LITERALS:
        return all(map(is_of_literals, arguments(node)))
    return node.get("class") == "CONSTANT"


def written_hash(sql: ParsedSql, node: Node) -> str | None:
    """The hash that a literal is, or an expression of literals as unhex('...'); None if it is none."""
    if not is_of_literals(node):
        return None
    if literal := node.get("literal"):
        return canonical_hash(literal.get("text", "")) if literal["kind"] in ("STRING", "HEX") else None
    value = sql.value(node)
    texts = [value.hex(), value.decode("latin-1")] if isinstance(value, bytes) else [str(value)]
    return next(filter(None, map(canonical_hash, texts)), None)


def is_text_of(sql: ParsedSql, node: Node, written: str) -> bool:
    """Whether what is a written hash is a text that differs from hash columns in its case only."""
    value = sql.value(node)
    return isinstance(value, str) and value.lower() == written


def _sizes(column: str) -> Sizes:
    """By the name of a column of a view."""
    return frozenset({64} if column.endswith("sha256") else {96} if column.endswith("sha384") else {64, 96})


def named_expressions(statement: Any) -> Iterator[tuple[str, Node | None]]:
    """Names that a statement gives, each with its expression; None for one that is not known."""
    for node in walk_nodes(statement):
        for item in node.get("select_list", ()):
            yield item.get("alias", ""), item
        for one in node.get("replace_list", ()):
            yield one["key"], one["value"]
        for one in node.get("rename_list", ()):
            yield one["value"], {"class": "COLUMN_REF", "column_names": [one["key"]["column"]]}
        for names, query in renamed(node):
            items = query.get("select_list", ())
            known = items if len(items) >= len(names) and _has_no_star(items) else [None] * len(names)
            yield from zip(names, known, strict=False)
        if node.get("setop_type") == "UNION":
            yield from _combined(node)
        if node.get("class") == "FUNCTION":
            yield from _parameters(node)


def renamed(node: Node) -> Iterator[tuple[Sequence[str], Node]]:
    """Names for the columns of a query, in their order, and that query: WITH name(a, b) AS, (SELECT ...) name(a, b)."""
    if "cte_map" in node:
        for entry in node["cte_map"].get("map", ()):
            yield entry["value"]["aliases"], entry["value"]["query_node"]
    if "column_name_alias" in node:
        yield node["column_name_alias"], node["subquery"]["node"] if node.get("type") == "SUBQUERY" else {}


def _combined(node: Node) -> Iterator[tuple[str, Node | None]]:
    """The columns of a UNION have the names of the first query, and the values of all."""
    columns = select_lists(node)
    for items in zip(*columns, strict=False):
        name = items[0].get("alias") or items[0].get("column_names", [""])[-1]
        yield from ((name, item) for item in items)


def _parameters(function: Node) -> Iterator[tuple[str, Node | None]]:
    """The parameter of a lambda is each value of the list, if that is written out."""
    values = arguments(function)
    for one in values[1:]:
        if one.get("class") == "LAMBDA" and one["lhs"].get("class") == "COLUMN_REF":
            items: Sequence[Node | None] = arguments(values[0]) if function_name(values[0]) == "list_value" else [None]
            yield from ((one["lhs"]["column_names"][-1], item) for item in items)


def select_lists(node: Node) -> list[list[Node]]:
    """The expressions of each query of a UNION, INTERSECT or EXCEPT; none if one of them has a *."""
    found = [child.get("select_list", []) for child in node.get("children") or ()]
    return found if found and all(items and _has_no_star(items) for items in found) else []


def _has_no_star(items: Sequence[Node]) -> bool:
    return all(item.get("class") != "STAR" for item in items)
