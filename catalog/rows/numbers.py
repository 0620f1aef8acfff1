"""Numbers in options and specs: decimal, 0x or 0b, and ranges of vCPU counts."""

from __future__ import annotations

import re
from collections.abc import Iterable

from catalog.errors import UsageError
from catalog.launch.point import check_vcpus

Number = int | str

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,31}|0[xX][0-9a-fA-F]{1,32}|0[bB][01]{1,128})")


def parse_number(value: Number) -> int:
    """A number from an integer, or from text in decimal, 0x or 0b; raises UsageError."""
    if isinstance(value, int):
        return value
    if not _NUMBER.fullmatch(value):
        raise UsageError(f"{value[:80]!r} is not a number", "write it in decimal, 0x or 0b")
    return int(value, 0)


def parse_counts(values: Iterable[Number]) -> set[int]:
    """vCPU counts from numbers and ranges such as "1-64", both ends included; raises UsageError."""
    found = 0  # one bit for each count: a range takes no time, however often it is listed
    for value in values:
        first, dash, last = str(value).partition("-")
        ends = (parse_number(first), parse_number(last)) if dash and first else (parse_number(value),) * 2
        for end in ends:
            check_vcpus(end)
        if ends[0] > ends[1]:
            raise UsageError(f"the range {value!r} runs backwards")
        found |= (2 << ends[1]) - (1 << ends[0])
    return {count for count in range(found.bit_length()) if found >> count & 1}


def as_ranges(numbers: Iterable[int]) -> str:
    """Ascending numbers as text, consecutive ones as a range: "1-4, 8"."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ".join(str(low) if low == high else f"{low}-{high}" for low, high in runs)
