"""Reads the plain TOML of data/vmm and data/vcpu_types.toml at once; of any other text it may say that it cannot.

Tables, strings and lists on one line, numbers, and comments. tests/files/test_plain_toml.py compares it with tomllib,
which takes longer to import than a launch digest takes to compute.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def read_plain_toml(text: str) -> dict[str, Any]:
    """The tables and values of a text; raises ValueError for what this does not read."""
    found: dict[str, Any] = {}
    table, lines = found, iter(text.split("\n"))
    for line in lines:
        line = line.strip()
        if not line or line[0] == "#":
            continue
        if line[0] == "[":
            table = _table(found, line)
            continue
        name, equals, rest = line.partition(" = ")
        if not equals or not name.isascii() or not name.replace("-", "_").isidentifier():
            raise ValueError(line)
        while _goes_on(rest):
            following = next(lines, None)
            if following is None:
                raise ValueError(line)
            rest += f"\n{following}"
        table[name] = _value(rest)
    return found


def _goes_on(rest: str) -> bool:
    """Whether a value ends on a later line."""
    return (rest[:3] == '"""' and '"""' not in rest[3:]) or (rest[:1] == "[" and "]" not in rest)


def _table(found: dict[str, Any], line: str) -> dict[str, Any]:
    """The table that a header begins: [a.b], or the next one of [[a]]."""
    name = line.strip("[]")
    if line == f"[[{name}]]":
        found.setdefault(name, []).append({})
        last: dict[str, Any] = found[name][-1]
        return last
    if line != f"[{name}]":
        raise ValueError(line)
    for part in name.split("."):
        found = found.setdefault(part, {})
    return found


def _value(text: str) -> Any:
    """One value, with the comment after it."""
    value, rest = _next(text)
    if rest.strip() and not rest.strip().startswith("#"):
        raise ValueError(text)
    return value


def _next(text: str) -> tuple[Any, str]:
    """The value that a text begins with, and what follows it."""
    text = text.lstrip()
    if text[:3] == '"""':
        inside, quote, rest = text[3:].partition('"""')
        return _plain(inside.removeprefix("\n"), quote), rest
    if text[:1] == '"':
        inside, quote, rest = text[1:].partition('"')
        return _plain(inside, quote), rest
    if text[:1] == "[":
        return _list(text[1:])
    if text[:1] == "{":
        return _inline_table(text[1:])
    end = min((at for at in map(text.find, " ,]}\n#") if at >= 0), default=len(text))
    return int(text[:end], 0), text[end:]


def _plain(inside: str, quote: str) -> str:
    if not quote or "\\" in inside:
        raise ValueError(inside)
    return inside


def _list(text: str) -> tuple[list[Any], str]:
    found = []
    while (text := text.lstrip(" \n,"))[:1] != "]":
        value, text = _next(text)
        found.append(value)
    return found, text[1:]


def _inline_table(text: str) -> tuple[dict[str, Any], str]:
    found = {}
    while (text := text.lstrip(" ,"))[:1] != "}":
        name, _, rest = text.partition(" = ")
        found[name], text = _next(rest)
    return found, text[1:]
