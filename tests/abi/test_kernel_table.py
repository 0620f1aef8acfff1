"""The kernel hashes table: layout and GUIDs, and texts whose hash differs from the one in the table."""

from __future__ import annotations

import hashlib
from typing import Any
from uuid import UUID

import pytest

from catalog.abi import kernel_table
from catalog.abi.kernel_hashes import KernelHashes
from catalog.abi.kernel_table import cmdline_fault, table_fault
from catalog.fast.packed import light_sha256


@pytest.mark.parametrize(
    ("name", "guid"),
    [
        ("TABLE_GUID", "9438d606-4f22-4cc9-b479-a793d411fd21"),
        ("CMDLINE_GUID", "97d02dd8-bd20-4c94-aa78-e7714d36ab2a"),
        ("INITRD_GUID", "44baf731-3a2f-4bd7-9af1-41e29169781d"),
        ("KERNEL_GUID", "4de79437-abd2-427f-b835-d5b172d2045b"),
    ],
)
def test_guids_have_the_byte_order_of_memory(name: str, guid: str) -> None:
    assert getattr(kernel_table, name) == UUID(guid).bytes_le


def row(**changes: Any) -> dict[str, Any]:
    hashes = KernelHashes.of(kernel=bytes(32), append="quiet \N{SNOWMAN}")
    return {
        "name": "mine",
        "table_sha256": hashes.table_sha256,
        "kernel_sha256": hashes.kernel,
        "initrd_sha256": hashes.initrd,
        "cmdline_sha256": hashes.cmdline,
        "append": "quiet \N{SNOWMAN}",
        **changes,
    }


@pytest.mark.parametrize("sha256", [hashlib.sha256, light_sha256()])
def test_consistent_texts_have_no_fault(sha256: Any) -> None:
    assert table_fault(row(), sha256) is None
    assert cmdline_fault(row(), sha256) is None


@pytest.mark.parametrize("name", ["table_sha256", "kernel_sha256", "initrd_sha256", "cmdline_sha256"])
@pytest.mark.parametrize("value", [b"\1" * 32, bytes(31), b""])
def test_a_hash_that_differs_from_the_table_is_reported(name: str, value: bytes) -> None:
    assert "'mine': the table SHA-256 is not that of" in str(table_fault(row(**{name: value}), hashlib.sha256))
    if name == "cmdline_sha256":
        assert "'mine': cmdline_sha256 is not" in str(cmdline_fault(row(cmdline_sha256=value), hashlib.sha256))


@pytest.mark.parametrize("text", [3, "", "quiet", "quiet \N{SNOWMAN} ", "quiet \N{SNOWMAN}\0", "\ud800"])
def test_a_command_line_with_another_hash_is_reported(text: object) -> None:
    assert "'mine': cmdline_sha256 is not" in str(cmdline_fault(row(append=text), hashlib.sha256))
    of_it = hashlib.sha256(f"{text}\0".encode("utf-8", "replace")).digest()
    if isinstance(text, str) and "\0" in text:  # never part of a command line
        assert cmdline_fault(row(append=text, cmdline_sha256=of_it), hashlib.sha256)


def test_a_command_line_of_which_only_the_hash_is_known_has_no_fault() -> None:
    assert cmdline_fault(row(append=None), hashlib.sha256) is None
