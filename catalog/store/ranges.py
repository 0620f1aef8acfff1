"""Ranges: the rows of a catalog in many small files by the first bits of their digests, for hosts that serve files.

Whoever looks a digest up asks for one file, and the host learns no more than which few hundred rows it is among.
docs/ranges.md has the format, byte by byte. A file is untrusted: what it says is measured again by who reads it.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import prod, sqrt
from typing import Any

import msgspec

from catalog.errors import MalformedInput, MalformedRecord, UsageError
from catalog.store.manifest import CatalogFiles, part_names
from catalog.store.parquet import open_parquet, parquet_errors
from catalog.wire import U16, U32, Wire, decode_json
from catalog.work.progress import Progress

FORMAT = "ldcat-range/1"
INDEX = "index.json"

FRAGMENT = 16
"""Bytes of a digest that stand in a file: nobody finds another digest that begins with them."""

MOST = 32 << 10
"""Bytes of a file, which digests that are uniform keep below."""

MAX_READ = 4 * MOST
"""Bytes of a file that are read: several rows may have one digest."""

MAX_INDEX = 16 << 20
"""Bytes of the index."""

_MOST_NUMBER = 7
"""Bytes of the number of a row, which is made of signed 64-bit integers."""

_SPREAD = 6
"""Standard deviations that the largest file may have more rows than all on average."""


class RangeIndex(Wire, frozen=True):
    """What index.json says. manifest_sha256: of the catalog, in hex. entry_size: bytes of a row.

    prefix_bits: first bits of a digest that name a file. The others are the values of each axis, in order; null: not
    measured.
    """

    format: str
    manifest_sha256: str
    prefix_bits: int
    entry_size: int
    technology: list[str]
    firmware_sha256: list[str]
    kernel_hashes_sha256: list[str | None]
    vmm: list[str | None]
    vcpu_signature: list[U32 | None]
    sev_features: list[int | None]
    vcpus: list[U16 | None]

    @classmethod
    def parse(cls, data: bytes) -> RangeIndex:
        """Raises MalformedRecord for what is none of this format, or not one in itself."""
        found = decode_json(data, cls, INDEX)
        if found.format != FORMAT:
            raise MalformedRecord(f"{INDEX}: format {found.format!r} is not {FORMAT!r}")
        if not 0 <= found.prefix_bits <= 32 or found.entry_size != FRAGMENT + number_size(found.axes.values()):
            raise MalformedRecord(f"{INDEX}: entries of {found.entry_size} bytes do not fit its axes")
        return found

    @property
    def axes(self) -> Mapping[str, Sequence[Any]]:
        """Their values by name, the first one counting most in the number of a row."""
        return {name: getattr(self, name) for name in AXES}

    def name(self, digest: bytes) -> str:
        """Of the file that a digest is in."""
        return self.file(int.from_bytes(digest[:8], "big") >> (64 - self.prefix_bits))

    def file(self, number: int) -> str:
        """The name of a file by the first bits of its digests."""
        return f"{number:0{-(-self.prefix_bits // 4) or 1}x}"

    def find(self, data: bytes, digest: bytes) -> list[dict[str, Any]]:
        """The inputs of each row of a file whose digest begins as this one. Raises MalformedInput for no such file."""
        if len(data) % self.entry_size or len(data) > MAX_READ:
            raise MalformedInput(f"a range of {len(data)} bytes is none")
        entries = (data[at : at + self.entry_size] for at in range(0, len(data), self.entry_size))
        return [self._inputs(entry[FRAGMENT:]) for entry in entries if entry[:FRAGMENT] == digest[:FRAGMENT]]

    def _inputs(self, number: bytes) -> dict[str, Any]:
        """Of the row of a number."""
        left, row = int.from_bytes(number, "big"), {}
        for name, values in reversed([*self.axes.items()]):
            left, place = divmod(left, len(values) or 1)
            row[name] = values[place] if values else None
        if left or not all(self.axes.values()):
            raise MalformedInput("a range has a row that its axes do not have")
        return row


AXES = ("technology", "firmware_sha256", "kernel_hashes_sha256", "vmm", "vcpu_signature", "sev_features", "vcpus")


def number_size(axes: Iterable[Sequence[Any]]) -> int:
    """Bytes of the number of a row."""
    return max(1, -(-(prod(len(values) or 1 for values in axes) - 1).bit_length() // 8))


def ranges_of(catalog: CatalogFiles, progress: Progress) -> Iterator[tuple[str, bytes]]:
    """The files by name, the index last. progress: told of rows.

    Raises UsageError for a catalog that keeps distinguished digests only, and what reading it does.
    """
    entries = catalog.manifest.technologies
    if few := [name for name, entry in entries.items() if entry.rows and not entry.parts]:
        raise UsageError(f"of {', '.join(few)} the catalog keeps distinguished digests only: no range can list them")
    axes = _axes(catalog)
    size = FRAGMENT + number_size(axes.values())
    if size > FRAGMENT + _MOST_NUMBER:
        raise UsageError("the axes of the catalog have more combinations than the number of a row can say")
    bits = _prefix_bits(sum(entry.rows for entry in entries.values()), size)
    columns = {name: [_plain(value) for value in values] for name, values in axes.items()}
    index = RangeIndex(
        format=FORMAT, manifest_sha256=catalog.manifest_sha256, prefix_bits=bits, entry_size=size, **columns
    )
    streams = [_Stream(catalog, name, axes, size, progress) for name, entry in entries.items() if entry.parts]
    for number in range(1 << bits):
        end = (number + 1) << (64 - bits)
        rows = b"".join(stream.until(end) for stream in streams)
        yield index.file(number), b"".join(sorted(rows[at : at + size] for at in range(0, len(rows), size)))
    yield INDEX, msgspec.json.format(msgspec.json.encode(index), indent=0)


def _prefix_bits(rows: int, size: int) -> int:
    """As few as keep the largest file below MOST."""
    bits = 0
    while (each := rows / (1 << bits)) + _SPREAD * sqrt(each) > MOST // size:
        bits += 1
    return bits


def _plain(value: Any) -> Any:
    return value.hex() if isinstance(value, bytes) else value


def _axes(catalog: CatalogFiles) -> dict[str, list[Any]]:
    """The values that occur of each, in order, null first."""
    found: dict[str, set[Any]] = {name: set() for name in AXES}
    for technology, entry in catalog.manifest.technologies.items():
        for name in part_names(technology, entry.parts):
            table = _read(catalog, name)
            for axis in AXES:
                found[axis].update(table.column(axis).unique().to_pylist())
    return {name: sorted(values, key=lambda value: (value is not None, value)) for name, values in found.items()}


def _read(catalog: CatalogFiles, name: str) -> Any:
    with parquet_errors(name, "a table of launch digests"):
        return open_parquet(catalog, name).read(columns=["launch_digest", *AXES], use_threads=False)


class _Stream:
    """The rows of one technology as entries, in the order of their digests."""

    def __init__(
        self, catalog: CatalogFiles, technology: str, axes: Mapping[str, list[Any]], size: int, progress: Progress
    ) -> None:
        self._catalog = catalog
        self._axes = axes
        self._size = size
        self._progress = progress
        entry = catalog.manifest.technologies[technology]
        self._digest_size = entry.digest_size
        self._names = part_names(technology, entry.parts)[::-1]
        self._entries, self._at = b"", 0

    def until(self, end: int) -> bytes:
        """Those that are left of digests whose first 64 bits are less than `end`."""
        taken = []
        while True:
            rows = range(self._at, len(self._entries) // self._size)
            count = bisect.bisect_left(rows, end, key=self._first)
            taken.append(self._entries[self._at * self._size : (self._at + count) * self._size])
            self._at += count
            if self._at * self._size < len(self._entries) or not self._names:
                return b"".join(taken)
            self._entries, self._at = self._encoded(_read(self._catalog, self._names.pop())), 0

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
