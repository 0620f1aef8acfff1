"""The kernel hashes table byte by byte, and checks of the hashes and the command line that belong to it.

Source: QEMU target/i386/sev.c, SevHashTable and PaddedSevHashTable; edk2 OvmfPkg/AmdSev/BlobVerifierLibSevHashes.
"""

from __future__ import annotations

from struct import pack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

TABLE_SIZE = 176
"""Bytes of the table that are measured: 168 and 8 zeros of padding to a multiple of 16."""

TABLE_GUID = bytes.fromhex("06d63894224fc94cb479a793d411fd21")  # 9438d606-4f22-4cc9-b479-a793d411fd21
CMDLINE_GUID = bytes.fromhex("d82dd09720bd944caa78e7714d36ab2a")  # 97d02dd8-bd20-4c94-aa78-e7714d36ab2a
INITRD_GUID = bytes.fromhex("31f7ba442f3ad74b9af141e29169781d")  # 44baf731-3a2f-4bd7-9af1-41e29169781d
KERNEL_GUID = bytes.fromhex("3794e74dd2ab7f42b835d5b172d2045b")  # 4de79437-abd2-427f-b835-d5b172d2045b
"""GUIDs of the table and its entries in the order of bytes that memory holds (little-endian fields)."""

_ENTRY_LENGTH = pack("<H", 18 + 32)  # GUID and length, 18 bytes, are included
_TABLE_LENGTH = pack("<H", 18 + 3 * (18 + 32))
_PADDING = bytes(TABLE_SIZE - (18 + 3 * (18 + 32)))


def table_bytes(kernel: bytes, initrd: bytes, cmdline: bytes) -> bytes:
    """The 176 bytes that a VMM writes at the start of the kernel hashes area, from three SHA-256 values of 32 bytes."""
    return b"".join(
        (
            *(TABLE_GUID, _TABLE_LENGTH),
            *(CMDLINE_GUID, _ENTRY_LENGTH, cmdline),
            *(INITRD_GUID, _ENTRY_LENGTH, initrd),
            *(KERNEL_GUID, _ENTRY_LENGTH, kernel),
            _PADDING,
        )
    )


def table_fault(row: Mapping[str, Any], sha256: Callable[[bytes], Any]) -> str | None:
    """Why table_sha256 of a row does not follow from its three hashes, in one line; None if it does.

    row: table_sha256, kernel_sha256, initrd_sha256 and cmdline_sha256.
    sha256: a constructor such as hashlib.sha256.
    """
    hashes = (row["kernel_sha256"], row["initrd_sha256"], row["cmdline_sha256"])
    if {*map(len, hashes)} == {32} and sha256(table_bytes(*hashes)).digest() == row["table_sha256"]:
        return None
    return f"{row['name']!r}: the table SHA-256 is not that of this kernel, initrd and command line"


def cmdline_fault(row: Mapping[str, Any], sha256: Callable[[bytes], Any]) -> str | None:
    """Why cmdline_sha256 of a row is not the hash of its command line, `append`; None if it is, or if that is null."""
    text = row["append"]
    if text is None:
        return None
    plain = isinstance(text, str) and "\0" not in text
    if plain and sha256(text.encode("utf-8", "surrogatepass") + b"\0").digest() == row["cmdline_sha256"]:
        return None
    return f"{row['name']!r}: cmdline_sha256 is not the SHA-256 of this command line"
