"""The machine of an image: of its first executable, and of its compressed drivers if that one is 32-bit."""

from __future__ import annotations

import struct

import pytest

from catalog.firmware.machine import machine_name, machine_of
from catalog.firmware.volumes import MAX_VOLUMES, begins_with_volume, files, first_volume, volumes
from tests.support.firmware_builder import packed_volume
from tests.support.uefi_volumes import ARM, VARIABLES, X86_32, X86_64, code, file_of, pe32, section, te, volume

PAGE = 4096


@pytest.mark.parametrize("executable", [te(ARM), pe32(ARM)])
@pytest.mark.parametrize("extended", [False, True])
@pytest.mark.parametrize("large", [False, True])
def test_the_first_executable_of_any_file_tells(executable: bytes, extended: bool, large: bool) -> None:
    found = [file_of(section(0x15, b"name")), file_of(section(0x19, b"odd"), executable, large=large)]
    image = volume(PAGE, filesystem=VARIABLES) + volume(PAGE, found, extended=extended)
    assert machine_of(image) == ARM
    assert machine_name(ARM) == "Arm (AArch64)"


@pytest.mark.parametrize(
    "contents",
    [
        section(0x12, b"no TE"),
        section(0x10, b"no PE"),
        section(0x10, b"MZ".ljust(0x3C, b"\0") + struct.pack("<I", 0x40) + b"NE\0\0"),
        te(0xEBC),
        b"",
        bytes(64),
        section(0x19, b"") * 100 + te(ARM),
    ],
)
def test_what_is_no_known_executable_tells_nothing(contents: bytes) -> None:
    assert machine_of(volume(PAGE, [file_of(contents)])) is None


def test_a_32_bit_sec_phase_with_64_bit_drivers_is_for_x86_64() -> None:
    assert machine_of(code(X86_32)) == X86_32
    assert machine_of(code(X86_32, drivers=X86_32)) == X86_32
    assert machine_of(code(X86_32, drivers=X86_64)) == X86_64


def test_drivers_that_cannot_be_unpacked_may_be_for_x86_64() -> None:
    drivers = file_of(packed_volume(b"drivers", properties=255))
    assert machine_of(volume(PAGE, [drivers, file_of(te(X86_32))])) == X86_64


def test_a_needle_across_two_parts_is_found() -> None:
    for before in range((1 << 16) - 6, (1 << 16) + 1):
        packed = packed_volume(bytes(before) + b"PE\0\0\x64\x86" + bytes(9))
        assert machine_of(volume(4 * PAGE, [file_of(packed), file_of(te(X86_32))])) == X86_64


def test_volumes_are_those_with_a_header_that_fits() -> None:
    image = volume(PAGE) + volume(2 * PAGE)
    assert [(v.start, v.end) for v in volumes(image)] == [(0, PAGE), (PAGE, 3 * PAGE)]
    assert [(v.start, v.end) for v in volumes(image[:-1])] == [(0, PAGE)]
    assert list(volumes(image[:0x30])) == []
    assert begins_with_volume(image)
    assert first_volume(image[:0x30]) is None
    assert first_volume(bytes(PAGE)) is None


def test_signatures_without_a_volume_are_passed_over() -> None:
    image = bytes(0x28) + b"_FVH" + bytes(0x28) + volume(PAGE)
    assert [v.start for v in volumes(image)] == [0x54]
    assert list(volumes((bytes(0x28) + b"_FVH") * MAX_VOLUMES + volume(PAGE))) == []


def test_files_of_a_volume_end_with_it() -> None:
    whole = volume(PAGE, [file_of(b"first", large=True), file_of(b"second")])
    (found,) = volumes(whole)
    assert list(files(whole, found)) == [b"first", b"second"]
    short = volume(0x48 + 30, [file_of(b"first")])
    (found,) = volumes(short)
    assert list(files(short, found)) == [b"first"]
    cut = volume(0x48 + 28, [file_of(b"first")])
    assert [list(files(cut, one)) for one in volumes(cut)] == [[]]
