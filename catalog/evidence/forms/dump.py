"""Bytes in a dump: lines of offset and hex as xxd, `hexdump -C` and `od -t x1` print them.

`*` stands for lines that repeat the one before it. Offsets are hexadecimal, except for those of od with seven digits,
which are octal.
"""

from __future__ import annotations

import binascii

from catalog.errors import MalformedInput

MOST_BYTES = 1 << 20
"""Bytes that a dump may stand for: with `*`, few lines can stand for many."""

_DIGITS = "0123456789abcdef"
_LONGEST_LINE = 1024
_OCTAL_DIGITS = 7
"""Digits of an offset of od; with -A x it has six."""

_XXD, _HEXDUMP, _OD = "an xxd dump", "a hexdump -C dump", "an od dump"


def dumped(text: str) -> tuple[str, bytes] | None:
    """The kind of a dump, and its bytes; None for another text.

    Raises MalformedInput for a dump whose lines do not follow one another.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    kind = _kind(lines[0]) if len(lines) > 1 else None
    if kind is None:
        return None
    is_octal = kind == _OD and lines[0].partition(" ")[0] == "0" * _OCTAL_DIGITS
    data = _joined(lines, kind, 8 if is_octal else 16)
    if data is None:
        raise MalformedInput(f"the lines of {kind} do not follow one another", "dump the whole file again")
    return kind, data


def _kind(first: str) -> str | None:
    """The kind of dump that begins with this line, whose offset is zero."""
    offset, _, rest = first.partition(" ")
    if not 6 <= len(offset.rstrip(":")) <= 16 or offset.rstrip(":").strip("0"):
        return None
    kind = _XXD if offset.endswith(":") else _HEXDUMP if "|" in rest else _OD
    return kind if _row(first, kind) else None


def _row(line: str, kind: str) -> bytes:
    """The bytes of a line; none for a line that is not of this kind."""
    _, _, rest = line.partition(" ")
    digits = rest.strip().partition("  ")[0] if kind == _XXD else rest.partition("|")[0]
    try:
        return binascii.a2b_hex("".join(digits.split())) if len(line) <= _LONGEST_LINE else b""
    except ValueError:
        return b""


def _offset(line: str, base: int) -> int | None:
    """The offset at the beginning of a line; None if there is none."""
    digits = line.partition(" ")[0].rstrip(":")
    return int(digits, base) if digits and not digits.strip(_DIGITS[:base] + _DIGITS[10:base].upper()) else None


def _joined(lines: list[str], kind: str, base: int) -> bytes | None:
    """The bytes of all lines; None if an offset is not where the bytes before it end."""
    data = bytearray()
    row, repeats = b"", False
    for number, line in enumerate(lines, 1):
        if line == "*":
            repeats = True
            continue
        if (offset := _offset(line, base)) is None:
            return None
        missing = offset - len(data)
        if missing and not (repeats and row and 0 < missing <= MOST_BYTES - len(data) and missing % len(row) == 0):
            return None
        data += row * (missing // len(row)) if missing else b""
        row, repeats = _row(line, kind), False
        if not row and number < len(lines):  # only the last line may be an offset alone
            return None
        data += row
    return bytes(data)
