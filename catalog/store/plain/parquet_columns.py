"""Parquet files of flat columns, read without pyarrow: text, bytes and integers, plain or from a dictionary.

That is what component tables have. Source: https://github.com/apache/parquet-format (README.md, Encodings.md, thrift).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any, NamedTuple

from catalog.store.plain.thrift_compact import Malformed, Reader

_MAGIC = b"PAR1"
_INT32, _INT64, _BYTE_ARRAY, _FIXED = 1, 2, 6, 7
_WIDTHS = {_INT32: 4, _INT64: 8}
_UTF8, _UNSIGNED = 0, {12: "uint16", 13: "uint32", 14: "uint64"}
_OPTIONAL, _REPEATED = 1, 2
_NOT_PACKED, _ZSTD = 0, 6
_DATA, _DICTIONARY = 0, 2
_PLAIN, _PLAIN_DICTIONARY, _RLE, _RLE_DICTIONARY = 0, 2, 3, 8
_ROWS_A_BYTE, _PACKED, _UNPACKED, _LARGEST = 8, 1 << 10, 1 << 20, 1 << 27
"""Most rows for each byte of a file; most bytes of an unpacked column: _PACKED times its own, plus
_UNPACKED, and never more than _LARGEST."""

_WIDEST = 32
"""Bits of an index in a dictionary."""


class Field(NamedTuple):
    """A column of a file. kind: text, bytes, uint16, uint32 or uint64. size: of bytes of fixed length."""

    name: str
    kind: str
    physical: int
    size: int | None
    nullable: bool


class ParquetFile:
    """An open file. Raises Malformed, and so does every method. rows: how many it has to have."""

    def __init__(self, data: bytes, rows: int) -> None:
        self._data = data
        size = int.from_bytes(data[-8:-4], "little")
        if len(data) < 12 or data[:4] != _MAGIC or data[-4:] != _MAGIC or size > len(data) - 12:
            raise Malformed("it has no footer")
        footer = Reader(data[len(data) - 8 - size : len(data) - 8]).struct()
        root, *columns = _listed(footer, 2, dict)
        if root.get(5) != len(columns):
            raise Malformed("its columns are nested")
        self.fields = tuple(map(_field, columns))
        self._groups = _listed(footer, 4, dict)
        self.rows = sum(_integer(group, 3) for group in self._groups)
        if not self.rows == footer.get(3) == rows or rows > len(data) * _ROWS_A_BYTE:
            raise Malformed("it has another number of rows than it must have")

    def columns(self) -> dict[str, list[Any]]:
        """The values of all rows, by column."""
        found: dict[str, list[Any]] = {field.name: [] for field in self.fields}
        if len(found) != len(self.fields):
            raise Malformed("two columns have one name")
        for group in self._groups:
            chunks = _listed(group, 1, dict)
            if len(chunks) != len(self.fields):
                raise Malformed("a group of rows lacks a column")
            for field, chunk in zip(self.fields, chunks, strict=True):
                found[field.name] += self._chunk(field, chunk.get(3), _integer(group, 3))
        return found

    def _chunk(self, field: Field, about: Any, rows: int) -> list[Any]:
        """The values of a column in a group of rows."""
        if not isinstance(about, dict) or about.get(1) != field.physical or about.get(5) != rows:
            raise Malformed(f"{field.name}: a group of rows contradicts itself")
        unpack = _UNPACKERS.get(_integer(about, 4))
        start = about.get(11) or _integer(about, 9)  # of the dictionary, if there is one
        size = _integer(about, 7)
        if unpack is None or not isinstance(start, int) or not 0 <= start <= start + size <= len(self._data):
            raise Malformed(f"{field.name}: it is packed in another way, or outside the file")
        reader = Reader(memoryview(self._data)[start : start + size])
        values: list[Any] = []
        known: list[Any] | None = None
        left = min(size * _PACKED + _UNPACKED, _LARGEST)
        while len(values) < rows:
            header = reader.struct()
            unpacked = _integer(header, 2)
            packed = reader.take(_integer(header, 3))
            left -= unpacked
            if left < 0:
                raise Malformed(f"{field.name}: it promises more than it can hold")
            page = unpack(packed, unpacked)
            if len(page) != unpacked:
                raise Malformed(f"{field.name}: a page has another size than it says")
            if header.get(1) == _DICTIONARY:
                count = _integer(_structure(header, 7), 1)
                if count > rows:
                    raise Malformed(f"{field.name}: its dictionary has more values than there are rows")
                known = _plain(Reader(page), field, count, len(page))
            elif header.get(1) == _DATA:
                values += _page(page, field, _structure(header, 5), rows - len(values), known)
            else:
                raise Malformed(f"{field.name}: a page is of another kind")
        return values


def _page(page: bytes, field: Field, about: dict[int, Any], most: int, known: list[Any] | None) -> list[Any]:
    """The values of a data page. most: how many it may have. known: the dictionary."""
    count, encoding = _integer(about, 1), about.get(2)
    if not 0 < count <= most:
        raise Malformed(f"{field.name}: a page has another number of values than it may have")
    reader = Reader(page)
    there = [1] * count
    if field.nullable:
        if about.get(3) != _RLE:
            raise Malformed(f"{field.name}: its nulls are written in another way")
        size = int.from_bytes(reader.take(4), "little")
        there = list(_hybrid(Reader(reader.take(size)), 1, count))
    present = sum(there)
    if encoding == _PLAIN:
        values = _plain(reader, field, present, len(page))
    elif encoding in (_PLAIN_DICTIONARY, _RLE_DICTIONARY) and known is not None:
        width = reader.take(1)[0] if present else 0
        numbers = list(_hybrid(reader, width, present))
        if any(number >= len(known) for number in numbers):
            raise Malformed(f"{field.name}: a value is not in the dictionary")
        values = [known[number] for number in numbers]
    else:
        raise Malformed(f"{field.name}: its values are encoded in another way")
    rest = iter(values)
    return [next(rest) if one else None for one in there]


def _plain(reader: Reader, field: Field, count: int, size: int) -> list[Any]:
    """Values one after the other. size: of the page, which bounds their number."""
    if count < 0 or (count > size and field.size != 0):
        raise Malformed(f"{field.name}: it promises more values than it can hold")
    return [_value(reader, field) for _ in range(count)]


def _value(reader: Reader, field: Field) -> Any:
    if width := _WIDTHS.get(field.physical):
        value = int.from_bytes(reader.take(width), "little")
        return value & 0xFFFF if field.kind == "uint16" and value >> 16 == 0 else value
    size = field.size if field.physical == _FIXED else int.from_bytes(reader.take(4), "little")
    data = bytes(reader.take(size or 0))
    try:
        return data.decode("utf-8") if field.kind == "text" else data
    except UnicodeDecodeError as error:
        raise Malformed(f"{field.name}: a text is not UTF-8") from error


def _hybrid(reader: Reader, width: int, count: int) -> Iterator[int]:
    """Numbers of so many bits, in runs of equal ones or in groups of eight (Encodings.md, RLE)."""
    if width > _WIDEST:
        raise Malformed("an index has too many bits")
    while count > 0:
        head = reader.number()
        if head & 1:
            packed = reader.take((head >> 1) * width)
            run = min(count, 8 * (head >> 1))
            if not packed:
                raise Malformed("a run is empty")
            for place in range(run):
                group = int.from_bytes(packed[place // 8 * width : (place // 8 + 1) * width], "little")
                yield group >> place % 8 * width & (1 << width) - 1
        else:
            run = min(count, head >> 1)
            value = int.from_bytes(reader.take((width + 7) // 8), "little")
            if not run or value >> width:
                raise Malformed("a run is empty, or its number has too many bits")
            yield from (value for _ in range(run))
        count -= run


def _field(element: dict[int, Any]) -> Field:
    physical, repetition, name = element.get(1), element.get(3), element.get(4)
    if not isinstance(physical, int) or not isinstance(name, bytes) or repetition == _REPEATED or element.get(5):
        raise Malformed("a column is of another kind")
    try:
        text = name.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Malformed("the name of a column is not UTF-8") from error
    converted = element.get(6)
    size = _integer(element, 2) if physical == _FIXED else None
    if size is not None and not 0 < size <= 1 << 10:
        raise Malformed("a column is of another kind")
    kind = "another kind"
    if physical == _BYTE_ARRAY:
        kind = "text" if converted == _UTF8 else "bytes"
    elif physical == _FIXED and converted is None:
        kind = "bytes"
    elif physical in _WIDTHS and converted in _UNSIGNED:
        kind = _UNSIGNED[converted]
    return Field(text, kind, physical, size, repetition == _OPTIONAL)


def _integer(structure: dict[int, Any], number: int) -> int:
    """A number that is not negative."""
    value = structure.get(number)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise Malformed(f"its metadata lack the number {number}")
    return value


def _structure(structure: dict[int, Any], number: int) -> dict[int, Any]:
    value = structure.get(number)
    if not isinstance(value, dict):
        raise Malformed(f"its metadata lack the structure {number}")
    return value


def _listed(structure: dict[int, Any], number: int, kind: type) -> list[Any]:
    values = structure.get(number)
    if not isinstance(values, list) or not values or not all(isinstance(one, kind) for one in values):
        raise Malformed(f"its metadata lack the list {number}")
    return values


def _unzstd(packed: memoryview, size: int) -> bytes:
    try:
        library = import_module("compression.zstd")  # since Python 3.14
    except ModuleNotFoundError:
        library = import_module("backports.zstd")
    try:
        unpacked: bytes = library.ZstdDecompressor().decompress(packed, max_length=size + 1)
    except library.ZstdError as error:
        raise Malformed("a page cannot be unpacked") from error
    return unpacked


_UNPACKERS: dict[int, Callable[[memoryview, int], bytes]] = {
    _NOT_PACKED: lambda packed, _: bytes(packed),
    _ZSTD: _unzstd,
}
