"""MRTD: the digest of how a TD was built, SHA-384 over one stream of buffers and page contents.

Source: Intel TDX Module Base Architecture Specification, "MRTD: Build-Time Measurement Register", TDH.MEM.PAGE.ADD and
TDH.MR.EXTEND.
"""

from __future__ import annotations

import hashlib

PAGE_SIZE = 4096
CHUNK = 256
"""Bytes that one TDH.MR.EXTEND measures."""

_BUFFER = 128
_GPA_AT = 16


class Mrtd:
    """An MRTD in progress. `add` and `extend` are in the order of the VMM."""

    def __init__(self) -> None:
        self._hash = hashlib.sha384()

    def add(self, gpa: int) -> None:
        """TDH.MEM.PAGE.ADD of the page at a guest-physical address: its address is measured."""
        self._hash.update(_buffer(b"MEM.PAGE.ADD", gpa))

    def extend(self, gpa: int, page: bytes | memoryview) -> None:
        """TDH.MR.EXTEND of all 4096 bytes of a page, in chunks of 256."""
        for at in range(0, PAGE_SIZE, CHUNK):
            self._hash.update(_buffer(b"MR.EXTEND", gpa + at))
            self._hash.update(page[at : at + CHUNK])

    def copy(self) -> Mrtd:
        """Another one that begins with what was done so far."""
        made = Mrtd()
        made._hash = self._hash.copy()
        return made

    def digest(self) -> bytes:
        """The 48 bytes after TDH.MR.FINALIZE."""
        return self._hash.digest()


def _buffer(leaf: bytes, gpa: int) -> bytes:
    """The extension buffer of 128 bytes: the name of the leaf function at 0, the address (u64) at 16."""
    return (leaf.ljust(_GPA_AT, b"\0") + gpa.to_bytes(8, "little")).ljust(_BUFFER, b"\0")
