"""Packed indexes with one false number, and indexes that follow other Parquet files."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from catalog.fast.index import HEADER, ROW_GROUP
from tests.support.forged_catalogs import Change, elsewhere, in_groups


def header(path: Path) -> dict[str, int]:
    names = ("groups", "group_at", "list_at", "part_at", "page_at", "bucket_at", "entry_at")
    fields = HEADER.unpack(path.read_bytes()[: HEADER.size])
    return dict(zip(names, fields[8:15], strict=True)) | {"rows": fields[3], "entry_size": fields[6]}


def number(at: str, change: Any, nth: int = 0) -> Change:
    """Changes one 8-byte number in one of the tables."""

    def changed(path: Path) -> None:
        data, place = bytearray(path.read_bytes()), header(path)[at] + 8 * nth
        data[place : place + 8] = struct.pack("<Q", change(*struct.unpack("<Q", data[place : place + 8])))
        path.write_bytes(data)

    return changed


def entries_exchanged(path: Path) -> None:
    data, at = bytearray(path.read_bytes()), header(path)
    first, size = at["entry_at"], at["entry_size"]
    data[first : first + 2 * size] = data[first + size : first + 2 * size] + data[first : first + size]
    path.write_bytes(data)


def bit_of_entry(bit: int) -> Change:
    def changed(path: Path) -> None:
        data, at = bytearray(path.read_bytes()), header(path)
        data[at["entry_at"] + (0 if bit >= 8 else at["entry_size"] - 1)] ^= 1 << bit % 8
        path.write_bytes(data)

    return changed


LIES: dict[str, Change] = {
    "firmware": elsewhere(1),
    "kernel hashes": elsewhere(2),
    "VMM": in_groups(lambda groups: [group.__setitem__(3, 1 - group[3] if group[3] < 2 else 0) for group in groups]),
    "component that there is none of": in_groups(lambda groups: groups[0].__setitem__(1, 99)),
    "first ordinal": in_groups(lambda groups: groups[-1].__setitem__(0, groups[-1][0] - 1)),
    "signatures": in_groups(lambda groups: groups[0].__setitem__(4, groups[0][6])),
    "a vCPU count": number("part_at", lambda value: value + 1, -1),
    "ordinal": bit_of_entry(0),
    "digest bits": bit_of_entry(15),
    "entries": entries_exchanged,
    "bucket": number("bucket_at", lambda value: value + 1, 0),
    "page": number("page_at", lambda value: value + 1, 0),
}


def pages_of_parts(path: Path) -> None:
    """Has the index lead to where the digests are now in the Parquet files of its folder, in plain pages."""
    data, place = bytearray(path.read_bytes()), header(path)["page_at"]
    for part in sorted(path.parent.glob("*.parquet")):
        file, digests = part.read_bytes(), [row.get("launch_digest", b"") for row in pq.read_table(part).to_pylist()]
        for first in range(0, len(digests), ROW_GROUP):
            offset = file.index(b"".join(digests[first : first + ROW_GROUP]))
            data[place : place + 8] = struct.pack("<Q", offset)
            place += 8
    path.write_bytes(data)
