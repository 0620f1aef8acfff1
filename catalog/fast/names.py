"""Names: what a lookup shows of components, in a file (components/names) that needs no Parquet and no JSON to be read.

Records of strings, described byte by byte in docs/index.md: images, bases, kernel hashes tables and VMM profiles by
their number in the groups of an index, and vCPU types.
"""

from __future__ import annotations

from struct import error as StructError  # noqa: N812
from struct import pack, unpack

from catalog.abi.kernel_table import cmdline_fault, table_fault
from catalog.fast.match import PROVENANCE
from catalog.fast.verity import DamagedBlock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Any

    from catalog.fast.verity import Reader

MAGIC = b"LDCATNAM"
VERSION = 1
WITH_FACTS = 2
"""The version in which each record of an image, table or profile begins with its facts: number, then name and text."""

WITH_BASES = 3
"""The version with a fifth kind of records, and with SHA-256, SNP baseline and firmware version of each build."""

WITH_BOTH = 4
"""The version with both."""

MAX_RECORD = 1 << 20
"""Bytes: most of one record."""

IMAGES, TABLES, PROFILES, TYPES, BASES = range(5)
"""The kinds of records. In an index, the number of a base follows those of the images."""

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
    """An open file of names; every method raises DamagedBlock if the file is invalid.

    Those that read the strings of a record raise ValueError and LookupError, too, if these have another form.
    """

    def __init__(self, file: Reader) -> None:
        self._file = file
        magic, version, kinds = unpack("<8sII", file.read(0, 16, keep=True))
        if magic != MAGIC or not VERSION <= version <= WITH_BOTH or kinds != 4 + (version >= WITH_BASES):
            raise DamagedBlock("the component names are not of a version that this ldcat reads")
        self.version = version
        self._has_facts = version in (WITH_FACTS, WITH_BOTH)
        self._has_bases = version >= WITH_BASES
        self._first = 16 + 8 * kinds
        self.counts = unpack(f"<{kinds}Q", file.read(16, 8 * kinds, keep=True))
        self._read: dict[int, list[str | None]] = {}

    def record(self, kind: int, number: int) -> list[str | None]:
        """The strings of a record, without its facts."""
        strings = self._strings(kind, number)
        has_facts = self._has_facts and kind < TYPES
        return strings[1 + 2 * _count_facts(strings) :] if has_facts else strings

    def facts(self, kind: int, number: int) -> dict[str, str | None]:
        """The facts of a component by name, as text; empty in a file without facts."""
        if not self._has_facts:
            return {}
        strings = self._strings(kind, number)
        end = 1 + 2 * _count_facts(strings)
        return {name or "": text for name, text in zip(strings[1:end:2], strings[2:end:2], strict=True)}

    def base_number(self, number: int) -> int | None:
        """The number of the base that an index names in place of an image; None if it names an image."""
        images = self.counts[IMAGES]
        return number - images if self._has_bases and number >= images else None

    def identity(self, number: int) -> tuple[str | None, str | None, str | None]:
        """What an index names as image: SHA-256 and SNP baseline of an image, launch digest of a base, in hex.

        Two of the three are None: see IDENTITY of rows/fields.py.
        """
        base = self.base_number(number)
        if base is not None:
            return None, None, self.record(BASES, base)[0]
        key = self.record(IMAGES, number)[0] or ""
        return (key, None, None) if len(key) == 64 else (None, key, None)

    def builds(self, image: int, technology: str) -> Iterator[tuple[Mapping[str, Any], tuple[str, str, str]]]:
        """The builds of an image, each with its launchability: verdict, reason and source."""
        key, count, *rest = self.record(IMAGES, image)
        technologies, rest = rest[: int(count or 0)], rest[int(count or 0) :]
        first = 7 if self._has_bases else 4
        width = first + len(PROVENANCE) + 3 * len(technologies)
        at = first + len(PROVENANCE) + 3 * technologies.index(technology)
        for start in range(0, len(rest), width):
            build = rest[start : start + width]
            name, sha384, size, enforced, sha256, baseline, version = (*build[:first], key, None, None)[:7]
            firmware: dict[str, Any] = {
                "name": name or "",
                "sha256": _bytes(sha256),
                "sha384": _bytes(sha384),
                "size": None if size is None else int(size),
                "snp_baseline": _bytes(baseline),
                "firmware_version": version,
                "kernel_hashes_enforced": enforced or "",
                **dict(zip(PROVENANCE, build[first:], strict=False)),
            }
            firmware["package_sha256"] = _bytes(firmware["package_sha256"])
            verdict, reason, source = (text or "" for text in build[at : at + 3])
            yield firmware, (verdict, reason, source)

    def kernels(self, table: int, sha256: Callable[[bytes], Any]) -> list[Mapping[str, Any]]:
        """The records of a kernel hashes table, one for each of its names.

        Raises FalseNames if a kernel or a command line is not the measured one.
        """
        table_sha256, *rest = self.record(TABLES, table)
        fields = ("kernel_sha256", "initrd_sha256", "cmdline_sha256")
        found: list[Mapping[str, Any]] = [
            {
                "name": rest[at],
                "table_sha256": bytes.fromhex(table_sha256 or ""),
                **{name: bytes.fromhex(rest[at + n] or "") for n, name in enumerate(fields, 1)},
                "append": rest[at + 4],
            }
            for at in range(0, len(rest), 5)
        ]
        for row in found:
            if fault := table_fault(row, sha256) or cmdline_fault(row, sha256):
                raise FalseNames(fault)
        return found

    def bases(self, base: int) -> Iterator[Mapping[str, Any]]:
        """The records of a base, one for each of its names, as Match shows them."""
        digest, *rest = self.record(BASES, base)
        for at in range(0, len(rest), 6):
            name, vcpus, scheme, by, feed, svn = rest[at : at + 6]
            endorser = {"scheme": scheme, "id": by, "feed": feed, "svn": None if svn is None else int(svn)}
            yield {"name": name, "launch_digest": _bytes(digest), "vcpus": int(vcpus or ""), "endorser": endorser}

    def vcpu_types(self, signature: int) -> tuple[str, ...]:
        """The names of a vCPU signature, by binary search over the sorted records."""
        low, high = 0, self.counts[TYPES]
        while low < high:
            middle = (low + high) // 2
            value, *names = self.record(TYPES, middle)
            if int(value or 0) == signature:
                return tuple(name or "" for name in names)
            low, high = (middle + 1, high) if int(value or 0) < signature else (low, middle)
        return ()

    def _strings(self, kind: int, number: int) -> list[str | None]:
        if kind >= len(self.counts) or not 0 <= number < self.counts[kind]:
            raise DamagedBlock("the index has a component without a name")
        at = self._first + 8 * (sum(self.counts[:kind]) + number)
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


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else bytes.fromhex(text)


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
