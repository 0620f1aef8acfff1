"""Numbers of bit fields in a query, in any spelling, become the text that their columns have: 0x-hex as in JSON.

Bit fields, such as sev_features, are text in every view. A number that is compared with one may be in hex after 0x, in
any case and with any leading zeros, or decimal, in quotes or not. An order (<, BETWEEN) is that of the numbers. What
can be no value of the column is an error, not "no rows" (docs/adr/0024).
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from catalog.errors import UsageError
from catalog.rows.fields import COLUMNS, Field
from catalog.rows.kinds import Bits
from catalog.sql.hash_expressions import WHOLE, named_expressions
from catalog.sql.parsed_sql import (
    TEXT_TYPES,
    Node,
    ParsedSql,
    arguments,
    become,
    find_literal,
    function_name,
    is_cast,
    walk_nodes,
)

BITS = {field.name: field for field in COLUMNS if isinstance(field.kind, Bits)}

MACROS = (
    "CREATE MACRO ldcat_number(x) AS CASE WHEN typeof(x) NOT SIMILAR TO 'VARCHAR|JSON|\"NULL\"|U?[A-Z]*INT(EGER)?' "
    "THEN error('a bit field is compared with a value of type ' || typeof(x)) "
    "WHEN regexp_full_match(trim(x::VARCHAR), '0[xX][0-9a-fA-F]+|[0-9]+') "
    "THEN TRY_CAST(trim(x::VARCHAR) AS UBIGINT) END",
    *(
        f"CREATE MACRO ldcat_{name}(x) AS coalesce({field.kind.sql_text('ldcat_number(x)')}, lower(x::VARCHAR))"
        for name, field in BITS.items()
    ),
)
"""ldcat_number(x): the number in an integer or text; null for other text. ldcat_sev_features(x) and so on: the text of
a number as the column of that name has it; other text stays what it is.
"""

_NUMBER = re.compile(r"0x(?P<hex>[0-9a-f]+)|(?P<decimal>[0-9]+)", re.IGNORECASE | re.ASCII)
_HEX = re.compile(r"0x[0-9a-f]{1,16}", re.IGNORECASE | re.ASCII)

_EQUALITY = {"COMPARE_EQUAL", "COMPARE_NOTEQUAL", "COMPARE_DISTINCT_FROM", "COMPARE_NOT_DISTINCT_FROM"}
_LISTS = {"COMPARE_IN", "COMPARE_NOT_IN"}
_IN_LIST = {"contains", "list_contains", "list_has", "array_contains", "array_has", "list_position", "list_indexof"}
_LIKE = {"~~", "!~~", "~~*", "!~~*", "~~~"}
_SEARCH = {"^@", "starts_with", "prefix", "ends_with", "suffix", "contains", "instr", "strpos"}


class BitLiterals:
    """The numbers of one statement that are compared with bit fields. others: names of other columns of the views."""

    def __init__(self, others: frozenset[str], sql: ParsedSql, statement: Node) -> None:
        self._sql = sql
        self._statement = statement
        self._names = dict(BITS)
        count = 0
        while len(self._names) > count:
            count = len(self._names)
            for name, expression in named_expressions(statement):
                if not name or expression is None or name.lower() in others:
                    continue
                if field := self._whole(expression):
                    self._names.setdefault(name.lower(), field)

    def rewrite(self) -> None:
        """Change the statement in place; raises UsageError if it compares a bit field with what is no value of it."""
        if not mentioned(json.dumps(self._statement)):
            return
        for name, expression in list(named_expressions(self._statement)):
            if (field := BITS.get(name.lower())) is None or expression is None:
                continue
            if (number := _literal_number(expression)) is not None:
                become(expression, self._sql.text(_text(field, number)))
        self._rewrite(self._statement)
        columns = mentioned(json.dumps(self._statement))
        for node in walk_nodes(self._statement):
            if node.get("class") == "CONSTANT" and node["literal"]["kind"] == "STRING":
                refuse_other_spelling(node["literal"]["text"], columns)

    def _rewrite(self, part: Any) -> None:
        for one in part if isinstance(part, list) else part.values() if isinstance(part, dict) else ():
            self._rewrite(one)
        if isinstance(part, dict):
            self._rewrite_expression(part)

    def _rewrite_expression(self, node: Node) -> None:
        kind, name = node.get("class"), function_name(node)
        if kind == "COMPARISON":
            if self._whole(node["left"]) and re.fullmatch(r"x[0-9a-f]+", node.get("alias", ""), re.IGNORECASE):
                raise UsageError("query: a number after 0x is read in quotes only", f"write '0{node['alias']}'")
            self._compare([(node, "left"), (node, "right")], node["type"] in _EQUALITY)
        elif kind == "OPERATOR" and node["type"] in _LISTS:
            self._compare([(node["children"], number) for number in range(len(node["children"]))])
        elif kind == "BETWEEN":
            self._compare([(node, "input"), (node, "lower"), (node, "upper")], equality=False)
        elif kind == "SUBQUERY" and node.get("child") and (field := self._whole(node["child"])):  # IN, ANY, ALL
            function = f"ldcat_{field.name}" if node["comparison_type"] in _EQUALITY else "ldcat_number"
            node["child"] = self._sql.call(function, node["child"])
            node["subquery"] = self._sql.call_of_columns(function, node["subquery"])
        elif name == "nullif":
            self._compare([(argument, "expression") for argument in node["arguments"]])
        elif name in _IN_LIST and len(arguments(node)) == 2 and function_name(arguments(node)[0]) == "list_value":
            items = [(argument, "expression") for argument in arguments(node)[0]["arguments"]]
            self._compare([*items, (node["arguments"][1], "expression")])
        elif name in _LIKE | _SEARCH and len(arguments(node)) == 2 and (field := self._whole(arguments(node)[0])):
            self._search(field, arguments(node)[1], whole=name in _LIKE)
        elif node.get("type") == "SET_OPERATION_NODE":
            for columns in zip(*(child.get("select_list", ()) for child in node["children"]), strict=False):
                self._compare([([column], 0) for column in columns], in_place=True)

    def _compare(self, slots: Sequence[tuple[Any, Any]], equality: bool = True, *, in_place: bool = False) -> None:
        """What is compared with each other. slots: where each expression stands, as a container and a key of it.

        in_place: change literals only, where they stand.
        """
        nodes = [container[key] for container, key in slots]
        if all(function_name(node) == "row" for node in nodes):
            for column in zip(*(node["arguments"] for node in nodes), strict=False):
                self._compare([(argument, "expression") for argument in column], equality)
            return
        field = next(filter(None, map(self._whole, nodes)), None)
        if field is None:
            return
        if equality and all(node.get("class") == "COLUMN_REF" and self._whole(node) is field for node in nodes):
            return
        for (container, key), node in zip(slots, nodes, strict=True):
            literal = find_literal(node)
            if literal is not None and literal["kind"] == "NULL_LITERAL":
                continue
            if literal is not None:
                number = _number(field, literal)
                made = {"kind": "STRING", "text": _text(field, number)} if equality else _integer(number)
                become(node, self._sql.text("") | {"literal": made})
            elif not in_place and (not equality or node.get("class") != "COLUMN_REF" or self._whole(node) is not field):
                container[key] = self._sql.call(f"ldcat_{field.name}" if equality else "ldcat_number", node)

    def _search(self, field: Field, wanted: Node, *, whole: bool) -> None:
        """A search in the text of a bit field: digits in any case; a whole number in any spelling."""
        literal = find_literal(wanted)
        if literal is not None and literal["kind"] == "STRING":
            number = _literal_number(wanted) if whole else None
            literal["text"] = literal["text"].lower() if number is None else _text(field, number)

    def _whole(self, node: Node) -> Field | None:
        """The bit field that an expression is a value of; None if it is of none."""
        if node.get("class") == "COLUMN_REF":
            return self._names.get(node["column_names"][-1].lower())
        if is_cast(node, TEXT_TYPES):
            return self._whole(node["child"])
        if node.get("class") == "SUBQUERY" and node["subquery_type"] == "SCALAR":
            items = node["subquery"]["node"].get("select_list", ())
            return self._whole(items[0]) if len(items) == 1 else None
        if function_name(node) in WHOLE:
            return next(filter(None, map(self._whole, arguments(node))), None)
        return None


def mentioned(text: str) -> list[Field]:
    """The bit fields whose names are in a text."""
    return [field for name, field in BITS.items() if name in text.lower()]


def refuse_other_spelling(text: str, columns: Sequence[Field]) -> None:
    """Raises UsageError for a text that is a number in hex, but not as one of these columns has it."""
    if not columns or not _HEX.fullmatch(text.strip()):
        return
    number = int(text.strip(), 16)
    written = [_text(field, number) for field in columns if _fits(field, number)]
    if text not in written:
        shown = " or ".join(f"'{one}'" for one in written) or "a number that it can have"
        names = ", ".join(field.name for field in columns)
        raise UsageError(
            f"query: {text!r} is not written as {names} has it, and is not compared here", f"write {shown}"
        )


def _text(field: Field, number: int) -> str:
    return str(field.kind.text(number))


def _fits(field: Field, number: int) -> bool:
    try:
        field.kind.parse(_text(field, number))
    except ValueError:
        return False
    return True


def _integer(number: int) -> dict[str, str]:
    return {"kind": "INTEGER", "text": str(number)}


def _literal_number(node: Node) -> int | None:
    """The number that a literal is; None for what is none."""
    literal = find_literal(node)
    found = _NUMBER.fullmatch(str(literal.get("text", "")).strip()) if literal else None
    if found is None or literal is None or literal["kind"] not in ("STRING", "INTEGER"):
        return None
    return int(found["hex"], 16) if found["hex"] else int(found["decimal"])


def _number(field: Field, literal: Node) -> int:
    """The number that a literal is. Raises UsageError if no value of the field can be that."""
    number = _literal_number({"class": "CONSTANT", "literal": literal})
    if number is None or not _fits(field, number):
        text = str(literal.get("text", ""))
        raise UsageError(
            f"query: {field.name} is compared with {text[:100]!r}, which it can never be",
            "it is a number, in hex after 0x in quotes or decimal: '0x1' or 1",
        )
    return number
