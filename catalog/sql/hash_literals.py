"""Hash literals of a query, in any spelling, become the text that hash columns have: lower-case hex.

Hash columns compare without regard to case, by their collation. What is left to do is 0x, BLOBs and errors: a literal
that is compared with a hash is rewritten, any other operand is brought to that form by macros (hash_macros.py), and
everything else stays as it is written. A literal that can equal no value of the hash column is an error, not "no rows"
(docs/adr/0038).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

from catalog.errors import UsageError
from catalog.sql.hash_expressions import (
    Columns,
    HashExpressions,
    Sizes,
    is_of_literals,
    is_text_of,
    renamed,
    select_lists,
    written_hash,
)
from catalog.sql.hash_searches import SEARCHES, no_hash, rewrite_search
from catalog.sql.hash_spellings import are_digits, canonical_hash, digits
from catalog.sql.parsed_sql import (
    BLOB_TYPES,
    Node,
    ParsedSql,
    arguments,
    become,
    find_literal,
    function_name,
    is_cast,
    literal_text,
    walk_nodes,
)

_EQUALITY = {"COMPARE_EQUAL", "COMPARE_NOTEQUAL", "COMPARE_DISTINCT_FROM", "COMPARE_NOT_DISTINCT_FROM"}
_LISTS = {"COMPARE_IN", "COMPARE_NOT_IN"}
_LIST_AND_VALUE = {"list_contains", "list_has", "array_contains", "array_has", "list_position", "list_indexof"}
_LIST_AND_VALUE |= {"array_position", "array_indexof", "contains"}
_TWO_LISTS = {"@>", "<@", "&&", "list_has_any", "list_has_all", "array_has_any", "array_has_all"}
_MAPS = {"array_extract", "map_extract", "map_extract_value", "element_at", "map_contains"}
_MADE_OF_VALUES = {"row", "list_value", "struct_pack"}
_OF_BYTES = {"octet_length", "base64", "to_base64", "md5", "sha1", "sha256"}
"""Functions of the bytes of a hash, not of its text."""

_CASE_ONLY = {"hex", "to_hex", "lower", "lcase", "upper", "ucase"}
"""Functions whose text the collation compares as it is."""

Slot = tuple[Any, Any]
"""Where an expression stands: a container, and a key of it."""


class HashLiterals:
    """The hash literals of one statement. columns: of the views."""

    def __init__(self, columns: Columns, sql: ParsedSql, statement: Node) -> None:
        self._hashes = HashExpressions(columns, statement)
        self._columns = columns
        self._sql = sql
        self._statement = statement

    def rewrite(self) -> None:
        """Change the statement in place; raises UsageError if it compares a hash with what is no hash."""
        self._rewrite(self._statement)
        self._rewrite_joins_by_name()

    def _rewrite(self, part: Any) -> None:
        for one in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
            self._rewrite(one)
        if isinstance(part, dict):
            self._rewrite_node(part)

    def _rewrite_node(self, node: Node) -> None:
        kind = node.get("class")
        if kind == "CONSTANT":
            _refuse_number(node)
        elif kind == "COMPARISON":
            self._compare([(node, "left"), (node, "right")], node["type"] in _EQUALITY)
        elif kind == "OPERATOR" and node["type"] in _LISTS:
            self._compare_with_list(_slots(node))
        elif kind == "BETWEEN":
            self._compare([(node, "input"), (node, "lower"), (node, "upper")], equality=False)
        elif kind == "SUBQUERY" and node.get("child"):  # IN, ANY, ALL
            self._compare_with_query(node)
        elif is_cast(node, BLOB_TYPES) and self._hashes.whole(node["child"]):
            become(node, self._sql.call("ldcat_bytes", node["child"]))
        elif node.get("type") == "SET_OPERATION_NODE" and node["setop_type"] in ("INTERSECT", "EXCEPT"):
            for column in zip(*select_lists(node), strict=False):
                self._combine(column)
        else:
            self._rewrite_function(node, function_name(node))

    def _rewrite_function(self, node: Node, name: str) -> None:
        slots = _slots(node) if name else []
        if name in _LIST_AND_VALUE and len(slots) == 2 and _called(slots[0]) == "list_value":
            self._compare([slots[1], *_slots(_at(slots[0]))])
        elif name in _LIST_AND_VALUE - {"contains"} and len(slots) == 2 and self._hashes.whole(_at(slots[1])):
            self._wrap(slots[0], "ldcat_hashes")
        elif name in _TWO_LISTS and [*map(_called, slots)] == ["list_value"] * 2:
            self._compare([*chain.from_iterable(_slots(_at(slot)) for slot in slots)])
        elif name in _MAPS and len(slots) == 2 and _called(slots[0]) == "map" and self._hashes.whole(_at(slots[1])):
            self._look_up(_at(slots[0]), slots[1])
        elif name in SEARCHES and len(slots) > 1:
            rewrite_search(self._hashes, self._sql, node)
        elif name == "nullif":
            self._compare(slots)
        elif name in _OF_BYTES:
            for slot in slots:
                if self._hashes.whole(_at(slot)):
                    self._wrap(slot, "ldcat_bytes")
        elif name and not name.startswith("ldcat_"):
            self._refuse_for_macros(name, map(_at, slots))

    def _refuse_for_macros(self, name: str, values: Iterable[Node]) -> None:
        """What a macro of an earlier statement compares is not known."""
        for node in values:
            text = written_hash(self._sql, node)
            if text and not is_text_of(self._sql, node, text) and name in self._sql.macros() - {"hex", "to_hex"}:
                raise UsageError(
                    f"query: {name} is a macro, and takes a hash only as hash columns have it", f"write '{text}'"
                )

    def _compare(self, slots: Sequence[Slot], equality: bool = True) -> None:
        """What is compared with each other."""
        nodes = [_at(slot) for slot in slots]
        kinds = {(function_name(node), len(arguments(node))) for node in nodes if function_name(node)}
        if len(kinds) == 1 and next(iter(kinds))[0] in _MADE_OF_VALUES and all(map(function_name, nodes)):
            for column in zip(*map(_slots, nodes), strict=True):
                self._compare(column, equality)
        elif hashes := [node for node in nodes if self._hashes.whole(node)]:
            for slot in slots:
                self._adapt(slot, hashes[0], equality)
        elif equality and any(self._hashes.part(node) and not self._hashes.has_text(node) for node in nodes):
            for text, literal in ((literal_text(node), find_literal(node)) for node in nodes):
                if literal is not None and text and are_digits(text):
                    literal["text"] = digits(text)
        else:
            self._compare_others(slots)

    def _compare_with_list(self, slots: Sequence[Slot]) -> None:
        """x IN (...): x with each, but not these with each other."""
        first, *rest = slots
        hashes = [slot for slot in rest if self._hashes.whole(_at(slot))]
        if self._hashes.whole(_at(first)) or not hashes or len(hashes) == len(rest):
            self._compare(slots)
        elif text := written_hash(self._sql, _at(first)):
            first[0][first[1]] = self._sql.text(text)

    def _adapt(self, slot: Slot, hash_: Node, equality: bool = True) -> None:
        """Bring what is compared with a hash to the form of hash columns; raises UsageError if it can be no hash."""
        node = _at(slot)
        if self._hashes.whole(node):
            if self._hashes.is_bytes(node):
                self._wrap(slot, "ldcat_hash")
        elif (text := written_hash(self._sql, node)) and (
            find_literal(node) is None or len(text) in self._sizes(hash_)
        ):
            slot[0][slot[1]] = self._sql.text(text) | {"alias": node.get("alias", "")}
        elif literal := find_literal(node):
            _check(literal, hash_, equality)
        elif equality and is_of_literals(node) and isinstance(text := self._sql.value(node), str):
            raise no_hash(text, hash_)
        else:
            self._wrap(slot, "ldcat_hash")

    def _compare_others(self, slots: Sequence[Slot]) -> None:
        """With what may have the collation of a hash, which DuckDB knows when it binds the query."""
        other = next((_at(slot) for slot in slots if not is_of_literals(_at(slot))), None)
        if other is None or self._hashes.has_text(other) or _has_query(other):
            return
        for slot in slots:
            node = _at(slot)
            if (text := written_hash(self._sql, node)) and not is_text_of(self._sql, node, text):
                function = "ldcat_literal" if isinstance(self._sql.value(node), str) else "ldcat_blob"
                slot[0][slot[1]] = self._sql.call(function, other, node, self._sql.text(text))

    def _compare_with_query(self, node: Node) -> None:
        child, items = node["child"], node["subquery"]["node"].get("select_list", [])
        rows = arguments(child) if function_name(child) == "row" else []
        if rows and len(rows) == len(items):
            for row, slot in zip(rows, _slots({"class": "OPERATOR", "children": items}), strict=True):
                if self._hashes.whole(row) and not self._hashes.whole(_at(slot)):
                    self._wrap(slot, "ldcat_hash")
        elif self._hashes.whole(child):
            self._adapt((node, "child"), child)
            if len(items) != 1 or not self._hashes.whole(items[0]) or self._hashes.is_bytes(items[0]):
                node["subquery"] = self._sql.call_of_columns("ldcat_hash", node["subquery"])
        elif len(items) == 1 and self._hashes.whole(items[0]):
            self._adapt((node, "child"), items[0], node["comparison_type"] in _EQUALITY)
            if self._hashes.is_bytes(items[0]):
                self._wrap((items, 0), "ldcat_hash")

    def _combine(self, column: Sequence[Node]) -> None:
        """One column of INTERSECT or EXCEPT: all texts, or all BLOBs."""
        hashes = [item for item in column if self._hashes.whole(item)]
        if not hashes:
            return
        only_bytes = all(map(self._hashes.is_bytes, hashes))
        for item in column:
            if item not in hashes or (self._hashes.is_bytes(item) and not only_bytes):
                name = item.get("alias") or item.get("column_names", [""])[-1]
                become(item, self._sql.call("ldcat_blob_of" if only_bytes else "ldcat_hash", dict(item, alias="")))
                item["alias"] = name

    def _look_up(self, keys: Node, key: Slot) -> None:
        """A map finds its keys by their bytes."""
        self._wrap(key, "ldcat_hash")
        for written in arguments(keys)[:1]:
            for slot in _slots(written) if function_name(written) == "list_value" else ():
                self._wrap(slot, "ldcat_hash")

    def _rewrite_joins_by_name(self) -> None:
        """USING and NATURAL JOIN compare what has the name of a hash; it may be no hash in some query."""
        names = set[str]()
        for node in walk_nodes(self._statement):
            names.update(map(str.lower, node.get("using_columns") or ()))
            names.update(self._columns.hashes if node.get("ref_type") == "NATURAL" else ())
        for name, slot in _named_values(self._statement, names & self._columns.hashes):
            node = _at(slot)
            is_text = node.get("class") == "COLUMN_REF" or function_name(node) in _CASE_ONLY
            if is_of_literals(node) or not is_text:
                self._wrap(slot, "ldcat_hash")
                _at(slot)["alias"] = name

    def _sizes(self, node: Node) -> Sizes:
        return self._hashes.whole(node) or frozenset()

    def _wrap(self, slot: Slot, function: str) -> None:
        container, key = slot
        alias = container[key].get("alias", "")
        container[key] = self._sql.call(function, container[key]) | {"alias": alias}


def _at(slot: Slot) -> Node:
    node: Node = slot[0][slot[1]]
    return node


def _called(slot: Slot) -> str:
    return function_name(_at(slot))


def _slots(node: Node) -> list[Slot]:
    """Where the arguments of a function or an operator stand."""
    if node["class"] == "OPERATOR":
        return [(node["children"], number) for number in range(len(node["children"]))]
    return [(argument, "expression") for argument in node["arguments"]]


def _named_values(statement: Node, names: set[str] | frozenset[str]) -> Iterator[tuple[str, Slot]]:
    """The expressions to which a statement gives some names, also in VALUES."""
    for node in walk_nodes(statement) if names else ():
        items = node.get("select_list", [])
        for number, item in enumerate(items):
            if item.get("alias", "").lower() in names:
                yield item["alias"], (items, number)
        for aliases, query in renamed(node):
            values = (query.get("from_table") or {}).get("values") or [query.get("select_list", [])]
            for number, name in enumerate(aliases):
                if name.lower() in names:
                    yield from ((name, (row, number)) for row in values if number < len(row))


def _has_query(node: Node) -> bool:
    return any(one.get("class") == "SUBQUERY" for one in walk_nodes(node))


def _check(literal: Node, column: Node, equality: bool) -> None:
    """Raises UsageError for a literal that no value of the hash column can equal, or be beside of in order."""
    text = str(literal.get("text", ""))
    if literal["kind"] == "NULL_LITERAL" or (not equality and not text):
        return
    if literal["kind"] == "STRING" and not canonical_hash(text) and not equality and are_digits(text):
        literal["text"] = digits(text)
    else:
        raise no_hash(text, column)


def _refuse_number(node: Node) -> None:
    """SELECT 0x8c1f... is 0, under the name x8c1f..."""
    text = node["literal"].get("text", "")
    if node["literal"]["kind"] == "INTEGER" and canonical_hash(text + node.get("alias", "")):
        raise UsageError("query: a hash after 0x is read in quotes only", f"write '{text}{node['alias']}'")
