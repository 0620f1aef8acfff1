"""Notes on an image: what speaks against its launch is said, and what edk2 builds has none."""

from __future__ import annotations

import struct
from uuid import UUID

import pytest

from catalog.firmware.image_notes import FLASH_LIMIT, image_notes
from catalog.firmware.ovmf import OvmfImage
from tests.support.firmware_builder import AMDSEV_SECTIONS, TDX_METADATA, build_ovmf
from tests.support.uefi_volumes import X86_32, X86_64, code, file_of, te, volume

PAGE = 4096
SVSM_INFO = UUID("a789a612-0597-4c4b-a49f-cbb1fe9d1ddd")
TABLE = build_ovmf(pages=1, sections=AMDSEV_SECTIONS)


def notes(image: bytes) -> list[str]:
    return [note.text for note in image_notes(OvmfImage.parse(image), "x")]


def with_volume(image: bytes = TABLE, *, pages: int = 16, machine: int = X86_64) -> bytes:
    """An image of whole 64 KiB that begins with a volume, and ends with the table of another."""
    return volume((pages - 1) * PAGE, [file_of(te(machine))]) + image[-PAGE:]


def test_an_image_as_edk2_builds_it_has_no_note() -> None:
    assert notes(with_volume()) == []
    assert notes(code()) == []


@pytest.mark.parametrize(
    ("image", "note"),
    [
        (bytes(15 * PAGE) + TABLE, "it does not begin with a firmware volume"),
        (with_volume(pages=17), "69632 bytes are not a multiple of 64 KiB"),
        (with_volume(pages=FLASH_LIMIT // PAGE + 16), "more than the 16 MiB"),
        (with_volume(machine=X86_32), "firmware for 32-bit x86"),
        (with_volume(build_ovmf(sections=AMDSEV_SECTIONS, extra={SVSM_INFO: bytes(32)})), "it is an SVSM"),
        (with_volume(build_ovmf(extra={TDX_METADATA: struct.pack("<I", 64)})), "TDX metadata and no SEV metadata"),
        (with_volume(build_ovmf(extra={UUID(int=0x1B4C70E6 << 96 | 7): b""})), "Hygon CSV"),
        (with_volume(build_ovmf(extra={UUID("9a5d926f-2fa5-ceba-ab21-6b275d5556a5"): b""})), "Hygon CSV"),
    ],
)
def test_what_speaks_against_a_launch_is_said(image: bytes, note: str) -> None:
    (found,) = notes(image)
    assert note in found


def test_a_build_for_tdx_and_sev_has_no_note() -> None:
    extra = {TDX_METADATA: struct.pack("<I", 64)}
    assert notes(with_volume(build_ovmf(sections=AMDSEV_SECTIONS, extra=extra))) == []
