"""MRTD: the stream of buffers and contents, against a fold that is written out here."""

from __future__ import annotations

import hashlib

from catalog.firmware.tdx.mrtd import Mrtd


def buffer(name: bytes, gpa: int) -> bytes:
    made = bytearray(128)
    made[: len(name)] = name
    made[16:24] = gpa.to_bytes(8, "little")
    return bytes(made)


def test_a_page_is_added_and_measured_in_chunks() -> None:
    page = bytes(range(256)) * 15 + bytes(256)
    stream = buffer(b"MEM.PAGE.ADD", 0xFFFFF000)
    for at in range(0, 4096, 256):
        stream += buffer(b"MR.EXTEND", 0xFFFFF000 + at) + page[at : at + 256]
    made = Mrtd()
    made.add(0xFFFFF000)
    made.extend(0xFFFFF000, page)
    assert made.digest() == hashlib.sha384(stream).digest()


def test_a_copy_goes_on_alone() -> None:
    made = Mrtd()
    made.add(0)
    other = made.copy()
    other.add(0x1000)
    assert made.digest() == hashlib.sha384(buffer(b"MEM.PAGE.ADD", 0)).digest()
    assert other.digest() == hashlib.sha384(buffer(b"MEM.PAGE.ADD", 0) + buffer(b"MEM.PAGE.ADD", 0x1000)).digest()
