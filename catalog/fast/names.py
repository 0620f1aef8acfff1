"""Names: what a lookup shows of components, in a file (components/names) that needs no Parquet and no JSON to be read.

Records of strings, described byte by byte in docs/index.md: images, kernel hashes tables and VMM profiles by their
number in the groups of an index, and vCPU types.
"""

from __future__ import annotations

from struct import error as StructError  # noqa: N812
from struct import pack, unpack

from catalog.fast.verity import DamagedBlock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from catalog.fast.verity import Reader

MAGIC = b"LDCATNAM"
VERSION = 1
WITH_FACTS = 2
"""The version in which each record of an image, table or profile begins with its facts: number, then name and text."""

MAX_RECORD = 1 << 20
"""Bytes: most of one record."""

IMAGES, TABLES, PROFILES, TYPES = range(4)
"""The kinds of records."""

_NULL = 0xFFFFFFFF


class FalseNames(Exception):
    """Verified names that contradict what they are derived from: the catalog was made this way.

    It is not damage, around which a lookup reads.
    """


def pack_names(kinds: Sequence[Sequence[Sequence[str | None]]], version: int = VERSION) -> bytes:
    """The bytes of components/names. kinds: for each kind its records, each a list of strings or None."""
    counts = [len(records) for records in kinds]
    packed = [_pack_record(record) for records in kinds for record in records]
    offset = 16 + 8 * len(counts) + 8 * (len(packed) + 1)
    offsets = [offset]
    for record in packed:
        offset += len(record)
        offsets.append(offset)
    header = pack("<8sII", MAGIC, version, len(counts))
    return header + pack(f"<{len(counts)}Q", *counts) + pack(f"<{len(offsets)}Q", *offsets) + b"".join(packed)


class Names:
    """An open file of names; every method raises DamagedBlock if the file is invalid."""

    def __init__(self, file: Reader) -> None:
        self._file = file
        magic, version, kinds = unpack("<8sII", file.read(0, 16, keep=True))
        if (magic, kinds) != (MAGIC, 4) or version not in (VERSION, WITH_FACTS):
            raise DamagedBlock("the component names are not of a version that this ldcat reads")
        self._has_facts = version == WITH_FACTS
        self.counts = unpack("<4Q", file.read(16, 32, keep=True))
        self._read: dict[int, list[str | None]] = {}

    def record(self, kind: int, number: int) -> list[str | None]:
        """The strings of a record, without its facts."""
        strings = self._strings(kind, number)
        return strings[1 + 2 * _count_facts(strings) :] if self._has_facts and kind != TYPES else strings

    def facts(self, kind: int, number: int) -> dict[str, str | None]:
        """The facts of a component by name, as text; empty in a file of version 1."""
        if not self._has_facts:
            return {}
        strings = self._strings(kind, number)
        end = 1 + 2 * _count_facts(strings)
        return {name or "": text for name, text in zip(strings[1:end:2], strings[2:end:2], strict=True)}

    def _strings(self, kind: int, number: int) -> list[str | None]:
        if not 0 <= number < self.counts[kind]:
            raise DamagedBlock("the index has a component without a name")
        at = 48 + 8 * (sum(self.counts[:kind]) + number)
        if at in self._read:
            return self._read[at]
        start, end = unpack("<QQ", self._file.read(at, 16, keep=True))
        if not 0 <= end - start <= MAX_RECORD:
            raise DamagedBlock("the component names have a record outside the file or too large")
        try:
            record = self._read[at] = _unpack_record(self._file.read(start, end - start, keep=True))
        except (StructError, UnicodeDecodeError) as error:
            raise DamagedBlock("the component names have an invalid record") from error
        return record


def _count_facts(strings: list[str | None]) -> int:
    """The number of facts at the start of a record; raises DamagedBlock if it is invalid."""
    count = strings[0] if strings else None
    if count is None or len(count) > 2 or not count.isdecimal() or 1 + 2 * int(count) > len(strings):
        raise DamagedBlock("the component names have an invalid record")
    return int(count)


def _pack_record(record: Sequence[str | None]) -> bytes:
    parts = []
    for text in record:
        data = b"" if text is None else text.encode("utf-8")
        parts += [pack("<I", _NULL if text is None else len(data)), data]
    return b"".join(parts)


def _unpack_record(data: bytes) -> list[str | None]:
    found: list[str | None] = []
    at = 0
    while at < len(data):
        (length,) = unpack("<I", data[at : at + 4])
        at += 4
        if length == _NULL:
            found.append(None)
            continue
        found.append(data[at : at + length].decode("utf-8"))
        at += length
    return found
