"""DER: a strict reader of the values that certificates and revocation lists consist of.

A length has one encoding, a number too, and nothing may follow a value that is the last. Nothing is recursive, and no
value is copied before its length is known to fit. Source: ITU-T X.690, chapters 8 and 10; RFC 5280, 4.1.2.5 (times).
"""

from __future__ import annotations

from catalog.errors import MalformedInput
from catalog.values import Value

BOOLEAN, INTEGER, BIT_STRING, OCTET_STRING, NULL, OBJECT_IDENTIFIER = 0x01, 0x02, 0x03, 0x04, 0x05, 0x06
UTF8_STRING, PRINTABLE_STRING, IA5_STRING, UTC_TIME, GENERALIZED_TIME = 0x0C, 0x13, 0x16, 0x17, 0x18
SEQUENCE, SET = 0x30, 0x31

_LONGEST = 3
"""Bytes of the longest length: a value of 16 MiB is more than any file that is read."""

_LONGEST_IDENTIFIER = 64
"""Bytes: those of certificates have at most a dozen, and a long number takes long to write."""

_PRINTABLE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 '()+,-./:=?")
_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


class Moment(Value):
    """A time. seconds: since 1970, negative before. day: its date, such as 2026-05-02."""

    seconds: int
    day: str


class Element:
    """One value in DER. whole: all its bytes, with tag and length."""

    __slots__ = ("contents", "tag", "whole")

    def __init__(self, tag: int, contents: bytes, whole: bytes) -> None:
        self.tag, self.contents, self.whole = tag, contents, whole

    def inside(self) -> Elements:
        """The values that it is made of."""
        return Elements(self.contents)

    def number(self) -> int:
        """Of an INTEGER; raises MalformedInput for a negative one, and for another encoding."""
        data = self.contents
        if not data or data[0] & 0x80 or (len(data) > 1 and data[0] == 0 and not data[1] & 0x80):
            raise MalformedInput("a number in DER is negative or not in its shortest form")
        return int.from_bytes(data, "big")

    def truth(self) -> bool:
        """Of a BOOLEAN; raises MalformedInput for another encoding."""
        if self.contents not in (b"\0", b"\xff"):
            raise MalformedInput("a truth value in DER is neither true nor false")
        return self.contents == b"\xff"

    def bits(self) -> bytes:
        """The bytes of a BIT STRING; raises MalformedInput if its bits are not whole bytes."""
        if not self.contents or self.contents[0]:
            raise MalformedInput("a string of bits in DER is not whole bytes")
        return self.contents[1:]

    def object_identifier(self) -> str:
        """Of an OBJECT IDENTIFIER, with dots; raises MalformedInput for another encoding."""
        if len(self.contents) > _LONGEST_IDENTIFIER:
            raise MalformedInput("an object identifier in DER is too long")
        arcs, arc, at_start = [], 0, True
        for byte in self.contents:
            if at_start and byte == 0x80:
                raise MalformedInput("an object identifier in DER is not in its shortest form")
            arc, at_start = arc << 7 | byte & 0x7F, not byte & 0x80
            if at_start:
                arcs.append(arc)
                arc = 0
        if not arcs or not at_start:
            raise MalformedInput("an object identifier in DER is cut short")
        first = min(arcs[0] // 40, 2)
        return ".".join(map(str, [first, arcs[0] - 40 * first, *arcs[1:]]))

    def text(self) -> str | None:
        """Of a string in UTF-8 or ASCII; None for another type. Raises MalformedInput for other bytes.

        A PrintableString has letters, digits and some marks.
        """
        encoding = {UTF8_STRING: "utf-8", PRINTABLE_STRING: "ascii", IA5_STRING: "ascii"}.get(self.tag)
        if encoding is None:
            return None
        if self.tag == PRINTABLE_STRING and not _PRINTABLE.issuperset(self.contents):
            raise MalformedInput("a string in DER has what is not printable")
        try:
            return self.contents.decode(encoding)
        except UnicodeDecodeError as error:
            raise MalformedInput(f"a string in DER is not {encoding}") from error

    def time(self) -> Moment:
        """Of a UTCTime or GeneralizedTime, to the second and in UTC; raises MalformedInput for any other value."""
        digits = self.contents[:-1]
        wide = self.tag == GENERALIZED_TIME
        if self.tag not in (UTC_TIME, GENERALIZED_TIME) or self.contents[-1:] != b"Z" or not digits.isdigit():
            raise MalformedInput("a time in DER is not in UTC")
        if len(digits) != (14 if wide else 12):
            raise MalformedInput("a time in DER is not to the second")
        year = int(digits[:-10])
        if not wide:
            year += 2000 if year < 50 else 1900
        month, day, hour, minute, second = (int(digits[at : at + 2]) for at in range(len(digits) - 10, len(digits), 2))
        leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
        if not 1 <= month <= 12 or not 1 <= day <= _DAYS[month - 1] + (leap and month == 2):
            raise MalformedInput("a time in DER is no date")
        if hour > 23 or minute > 59 or second > 59:
            raise MalformedInput("a time in DER is no time of the day")
        before = year - 1  # whole years since the year 1
        days = before * 365 + before // 4 - before // 100 + before // 400 - 719162
        days += sum(_DAYS[: month - 1]) + (leap and month > 2) + day - 1
        return Moment(((days * 24 + hour) * 60 + minute) * 60 + second, f"{year:04}-{month:02}-{day:02}")


class Elements:
    """Values one after another, read from the first to the last."""

    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    @property
    def more(self) -> bool:
        """Whether there is another value."""
        return self._at < len(self._data)

    def has(self, *tags: int) -> bool:
        """Whether the next value has one of these tags; False if there is none."""
        return self.more and self._data[self._at] in tags

    def take(self, *tags: int) -> Element:
        """The next value; raises MalformedInput if there is none, it has another tag, or is cut short."""
        if not self.has(*tags):
            raise MalformedInput("a value in DER is missing or of another type")
        start, at = self._at, self._at + 2
        length = int.from_bytes(self._data[at - 1 : at], "big")
        if length & 0x80:
            size = length & 0x7F
            length = int.from_bytes(self._data[at : at + size], "big")
            at += size
            if not 1 <= size <= _LONGEST or length < 0x80 or length >> 8 * (size - 1) == 0:
                raise MalformedInput("a length in DER is not in its shortest form, or too long")
        if at + length > len(self._data):
            raise MalformedInput("a value in DER is cut short")
        self._at = at + length
        return Element(self._data[start], self._data[at : self._at], self._data[start : self._at])

    def last(self, *tags: int) -> Element:
        """As `take`; raises MalformedInput also if a value follows."""
        value = self.take(*tags)
        self.end()
        return value

    def end(self) -> None:
        """Raises MalformedInput if a value follows."""
        if self.more:
            raise MalformedInput("more follows a value in DER")


def read_value(data: bytes, tag: int) -> Element:
    """The one value that the data are; raises MalformedInput for anything else."""
    return Elements(data).last(tag)
