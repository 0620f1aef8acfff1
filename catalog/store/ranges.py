"""Ranges: the rows of a catalog in many small files by the first bits of their digests, for hosts of static files.

A lookup fetches one file, and the host learns only which few hundred rows the digest may be among. docs/ranges.md has
the format, byte by byte. A file is untrusted: whoever reads it measures its rows again.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod, sqrt
from typing import TYPE_CHECKING, Any

import msgspec

from catalog.errors import MalformedInput, MalformedRecord, UsageError
from catalog.rows.fields import FACTS, INPUTS, Field
from catalog.store.digest_parts import digest_parts, row_tables
from catalog.store.manifest import CatalogFiles
from catalog.wire import U16, U32, Wire, decode_json
from catalog.work.progress import Progress

FORMAT = "ldcat-range/1"

AXES = tuple(field.name for field in INPUTS)
"""Inputs of a row, in the order in which they make up its number, the most significant first."""

_OPTIONAL = [field.name for field in INPUTS if field.optional]
_LACKING: list[Any] = [None]
"""The values of an optional axis that index.json leaves out: no row has one."""

INDEX = "index.json"


def ranges_path(number: int) -> str:
    """Folder of the ranges of a release, relative to that of the log."""
    return f"range/{number}"


_FACTS = [fact.name for fact in FACTS]

FRAGMENT = 16
"""Bytes: the part of a digest that is in a file. It is infeasible to find another digest that begins with them."""

MOST = 32 << 10
"""Bytes: most of a file, if digests are uniformly distributed."""

MAX_READ = 4 * MOST
"""Bytes: most of a file that is read; it may be larger than MOST if many rows have one digest."""

MAX_INDEX = 16 << 20
"""Bytes: most of index.json."""

_MOST_NUMBER = 7
"""Bytes: most of the number of a row, which is computed in signed 64-bit integers."""

_SPREAD = 6
"""Standard deviations by which the largest file may exceed the average number of rows."""


if TYPE_CHECKING:
    _Index = Any
else:

    def _axis(field: Field) -> Any:
        kind = (
            str
            if field.kind.arrow in ("string", "binary")
            else {"uint16": U16, "uint32": U32}.get(field.kind.arrow, int)
        )
        listed = list[kind | None] if field.nullable else list[kind]
        return (field.name, listed | msgspec.UnsetType, msgspec.UNSET) if field.optional else (field.name, listed)

    _Index = msgspec.defstruct(
        "RangeIndex",
        [
            *(("format", str), ("manifest_sha256", str), ("prefix_bits", int), ("entry_size", int)),
            *sorted(map(_axis, INPUTS), key=len),  # those with a default come last
            ("facts", list[str], msgspec.field(default_factory=list)),
        ],
        bases=(Wire,),
        frozen=True,
        omit_defaults=True,
    )


@dataclass(frozen=True, slots=True)
class RangeIndex:
    """The contents of index.json.

    manifest_sha256: of the catalog, in hex.
    prefix_bits: first bits of a digest that name a file.
    entry_size: bytes of a row.
    axes: values of each input of a row by column, in order, hashes in hex; null: not measured. The first one counts
    most in the number of a row.
    facts: names of the facts that the rows of the catalog have; each follows from a component.
    """

    manifest_sha256: str
    prefix_bits: int
    entry_size: int
    axes: Mapping[str, Sequence[Any]]
    facts: Sequence[str] = ()

    @classmethod
    def parse(cls, data: bytes) -> RangeIndex:
        """Read index.json; raises MalformedRecord if it is of another format or inconsistent."""
        read = decode_json(data, _Index, INDEX)
        if read.format != FORMAT:
            raise MalformedRecord(f"{INDEX}: format {read.format!r} is not {FORMAT!r}")
        axes = {name: _LACKING if (values := getattr(read, name)) is msgspec.UNSET else values for name in AXES}
        found = cls(read.manifest_sha256, read.prefix_bits, read.entry_size, axes, tuple(read.facts))
        if not 0 <= found.prefix_bits <= 32 or found.entry_size != FRAGMENT + number_size(axes.values()):
            raise MalformedRecord(f"{INDEX}: entries of {found.entry_size} bytes do not fit its axes")
        return found

    def __bytes__(self) -> bytes:
        """The file index.json."""
        wire = _Index(
            format=FORMAT,
            manifest_sha256=self.manifest_sha256,
            prefix_bits=self.prefix_bits,
            entry_size=self.entry_size,
            facts=list(self.facts),
            **{name: values for name, values in self.axes.items() if name not in _OPTIONAL or list(values) != _LACKING},
        )
        return msgspec.json.format(msgspec.json.encode(wire), indent=0)

    def name(self, digest: bytes) -> str:
        """The name of the file that can list a digest."""
        return self.file(int.from_bytes(digest[:8], "big") >> (64 - self.prefix_bits))

    def file(self, number: int) -> str:
        """The name of the file with this number, the first bits of its digests."""
        return f"{number:0{-(-self.prefix_bits // 4) or 1}x}"

    def find(self, data: bytes, digest: bytes) -> list[dict[str, Any]]:
        """The inputs of each row of a file whose digest begins as this one; raises MalformedInput for a bad file."""
        if len(data) % self.entry_size or len(data) > MAX_READ:
            raise MalformedInput(f"a range of {len(data)} bytes is invalid")
        entries = (data[at : at + self.entry_size] for at in range(0, len(data), self.entry_size))
        return [self._inputs(entry[FRAGMENT:]) for entry in entries if entry[:FRAGMENT] == digest[:FRAGMENT]]

    def _inputs(self, number: bytes) -> dict[str, Any]:
        """The inputs of the row with this number."""
        left, row = int.from_bytes(number, "big"), {}
        for name, values in reversed([*self.axes.items()]):
            left, place = divmod(left, len(values) or 1)
            row[name] = values[place] if values else None
        if left or not all(self.axes.values()):
            raise MalformedInput("a range has a row outside the axes of its index")
        return row


def number_size(axes: Iterable[Sequence[Any]]) -> int:
    """Bytes of the number of a row."""
    return max(1, -(-(prod(len(values) or 1 for values in axes) - 1).bit_length() // 8))


def make_ranges(catalog: CatalogFiles, progress: Progress) -> Iterator[tuple[str, bytes]]:
    """The files with their names, the index last. progress: called with numbers of rows.

    Raises UsageError for a catalog that keeps distinguished digests only, or has too many combinations of inputs; and
    as `DigestPart`.
    """
    entries = catalog.manifest.known
    if few := [name for name, entry in entries.items() if entry.rows and not entry.parts]:
        raise UsageError(f"the catalog keeps distinguished digests only of {', '.join(few)}, so it can have no ranges")
    axes, facts = _axes(catalog)
    size = FRAGMENT + number_size(axes.values())
    if size > FRAGMENT + _MOST_NUMBER:
        raise UsageError("the axes of the catalog have more combinations than the number of a row can hold")
    bits = _prefix_bits(catalog.manifest.rows, size)
    columns = {name: [_plain(value) for value in values] for name, values in axes.items()}
    index = RangeIndex(catalog.manifest_sha256, bits, size, columns, facts)
    streams = [_Stream(catalog, name, axes, size, progress) for name, entry in entries.items() if entry.parts]
    for number in range(1 << bits):
        end = (number + 1) << (64 - bits)
        rows = b"".join(stream.until(end) for stream in streams)
        yield index.file(number), b"".join(sorted(rows[at : at + size] for at in range(0, len(rows), size)))
    yield INDEX, bytes(index)


def _prefix_bits(rows: int, size: int) -> int:
    """The fewest bits that keep the largest file below MOST bytes."""
    bits = 0
    while (each := rows / (1 << bits)) + _SPREAD * sqrt(each) > MOST // size:
        bits += 1
    return bits


def _plain(value: Any) -> Any:
    return value.hex() if isinstance(value, bytes) else value


def _axes(catalog: CatalogFiles) -> tuple[dict[str, list[Any]], list[str]]:
    """The values of each axis that occur, in order, null first; and the names of the facts that any row has."""
    found: dict[str, set[Any]] = {name: set() for name in AXES}
    facts = set()
    for technology in catalog.manifest.known:
        for table in row_tables(catalog, technology, [*AXES, *_FACTS]):
            for axis in AXES:
                found[axis].update(table.column(axis).unique().to_pylist())
            facts |= {name for name in _FACTS if table.column(name).null_count < len(table)}
    axes = {name: sorted(values, key=lambda value: (value is not None, value)) for name, values in found.items()}
    return axes, sorted(facts)


class _Stream:
    """The rows of one technology as entries of range files, ordered by digest."""

    def __init__(
        self, catalog: CatalogFiles, technology: str, axes: Mapping[str, list[Any]], size: int, progress: Progress
    ) -> None:
        self._axes = axes
        self._size = size
        self._progress = progress
        entry = catalog.manifest.technologies[technology]
        self._digest_size = entry.digest_size
        self._parts = digest_parts(catalog, technology)[::-1]
        self._entries, self._at = b"", 0

    def until(self, end: int) -> bytes:
        """The next entries: those with digests whose first 64 bits are less than `end`."""
        taken = []
        while True:
            rows = range(self._at, len(self._entries) // self._size)
            count = bisect.bisect_left(rows, end, key=self._first)
            taken.append(self._entries[self._at * self._size : (self._at + count) * self._size])
            self._at += count
            if self._at * self._size < len(self._entries) or not self._parts:
                return b"".join(taken)
            self._entries, self._at = self._encoded(self._parts.pop().table(["launch_digest", *AXES])), 0

    def _first(self, row: int) -> int:
        return int.from_bytes(self._entries[row * self._size : row * self._size + 8], "big")

    def _encoded(self, table: Any) -> bytes:
        import pyarrow as pa
        import pyarrow.compute as pc

        numbers = pa.repeat(pa.scalar(0, pa.int64()), table.num_rows)
        for name, values in self._axes.items():
            column = table.column(name).combine_chunks()
            if isinstance(column, pa.ChunkedArray):
                column = pa.concat_arrays(column.chunks)
            places = pc.index_in(column, value_set=pa.array(values, column.type), skip_nulls=False)
            numbers = pc.add(pc.multiply(numbers, max(1, len(values))), places.cast(pa.int64()))
        digests = table.column("launch_digest").cast(pa.binary(self._digest_size)).combine_chunks()
        if isinstance(digests, pa.ChunkedArray):
            digests = pa.concat_arrays(digests.chunks)
        raw = memoryview(digests.buffers()[1])[digests.offset * self._digest_size :]
        codes = memoryview(numbers.buffers()[1])[: 8 * len(numbers)]
        made, size = bytearray(self._size * table.num_rows), self._size
        for at in range(FRAGMENT):
            made[at::size] = bytes(raw[at : table.num_rows * self._digest_size : self._digest_size])
        for at in range(size - FRAGMENT):
            made[FRAGMENT + at :: size] = bytes(codes[size - FRAGMENT - 1 - at :: 8])
        self._progress(table.num_rows)
        return bytes(made)
