"""KernelHashes: the table by which a VMM measures kernel, initrd and command line.

Source: QEMU target/i386/sev.c, SevHashTable and PaddedSevHashTable; edk2 OvmfPkg/AmdSev/BlobVerifierLibSevHashes.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from catalog.abi.kernel_table import TABLE_SIZE, table_bytes
from catalog.errors import MalformedInput

PAGE_SIZE = 4096

NO_INITRD = hashlib.sha256(b"").digest()
"""SHA-256 of the empty file, which is measured if there is no initrd."""


@dataclass(frozen=True, slots=True)
class KernelHashes:
    """Three SHA-256 values, 32 bytes each: of the kernel file, the initrd file, and the command line with its NUL."""

    kernel: bytes
    initrd: bytes
    cmdline: bytes

    def __post_init__(self) -> None:
        if {len(self.kernel), len(self.initrd), len(self.cmdline)} != {32}:
            raise MalformedInput("a kernel hash does not have 32 bytes")

    @classmethod
    def of(cls, *, kernel: bytes, initrd: bytes | None = None, append: str | None = None) -> KernelHashes:
        """From hashes of whole files and the text of -append, as it is: nothing is trimmed.

        kernel, initrd: SHA-256 of the file, 32 bytes; without an initrd, the hash of the empty file is used.
        append: without the final NUL, which is added; None and "" are the same launch.
        """
        return cls(kernel, NO_INITRD if initrd is None else initrd, hash_cmdline(append))

    def table(self) -> bytes:
        """The 176 bytes that a VMM writes at the start of the kernel hashes area."""
        return table_bytes(self.kernel, self.initrd, self.cmdline)

    def page(self, offset: int) -> bytes:
        """The 4096-byte page, zero except for the table at `offset` (0 to 3920 bytes)."""
        if not 0 <= offset <= PAGE_SIZE - TABLE_SIZE:
            raise ValueError(f"a kernel hashes table does not fit a page at offset {offset}")
        return (bytes(offset) + self.table()).ljust(PAGE_SIZE, b"\0")

    @property
    def table_sha256(self) -> bytes:
        """SHA-256 of the 176 bytes, which identifies the table in a catalog."""
        return hashlib.sha256(self.table()).digest()


def hash_cmdline(append: str | None) -> bytes:
    """SHA-256 of the command line as the guest gets it: UTF-8, with one NUL at the end."""
    text = append or ""
    if "\0" in text:
        raise MalformedInput("the kernel command line contains a NUL byte")
    try:
        return hashlib.sha256(text.encode("utf-8", "surrogateescape") + b"\0").digest()
    except UnicodeEncodeError as error:
        raise MalformedInput("the kernel command line is not UTF-8") from error
