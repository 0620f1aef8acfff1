"""The index compared with the rows: every field that a lookup reads, changed under a manifest with matching hashes."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import pytest

from catalog.build.builder import BuildResult
from catalog.fast.index import HEADER
from catalog.store.catalog import Catalog
from catalog.store.index_faults import index_faults
from tests.support.forged_catalogs import Change, elsewhere, forged, in_groups, in_rows

INDEX = "sev-snp/launch_digests.index"


def faults(folder: Path) -> list[str]:
    return list(index_faults(Catalog.open(folder).components))


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


@pytest.mark.parametrize("change", LIES.values(), ids=LIES)
def test_every_changed_field_of_an_index_is_found(small: BuildResult, tmp_path: Path, change: Change) -> None:
    forged(small, tmp_path / "lie", {INDEX: change})
    found = faults(tmp_path / "lie")
    assert found
    assert all(one.startswith("sev-snp/") and "\n" not in one for one in found)


def test_a_correct_index_has_no_faults(
    small: BuildResult, default: BuildResult, parted: BuildResult, few_kept: BuildResult
) -> None:
    """The catalogs have one part, many parts, and no rows."""
    for built in (small, default, parted, few_kept):
        assert faults(built.folder) == []


def test_the_fault_names_the_row(small: BuildResult, tmp_path: Path) -> None:
    forged(small, tmp_path / "lie", {"sev-snp/launch_digests.parquet": in_rows(lambda row: row.update(vcpus=9))})
    message = "row 0: the index leads from its digest to other inputs (wrong rows: 1)"
    assert f"sev-snp/launch_digests.parquet: {message}" in faults(tmp_path / "lie")


def test_every_part_is_compared(parted: BuildResult, tmp_path: Path) -> None:
    forged(parted, tmp_path / "lie", {INDEX: elsewhere(2)})
    named = {one.partition(":")[0] for one in faults(tmp_path / "lie")}
    assert len(named) > 2
    assert all(name.startswith("sev-snp/launch_digests-") for name in named)
