"""Files that are no images: each is refused and named as what it is, even if it ends like an image."""

from __future__ import annotations

import struct

import pytest

from catalog.containers.unwrap import formats
from catalog.errors import MalformedFirmware
from catalog.firmware.ovmf import OvmfImage, ends_as_image
from tests.support.container_writers import qcow2, vmdk
from tests.support.firmware_builder import build_ovmf
from tests.support.samples import whole_image
from tests.support.uefi_volumes import ARM, LOONGARCH, RISC_V, VARIABLES, X86_32, X86_64, code, pe_image, volume

PAGE = 4096
IMAGE = whole_image()


def elf(machine: int, order: str = "<") -> bytes:
    return b"\x7fELF\2" + (b"\1" if order == "<" else b"\2") + bytes(12) + struct.pack(f"{order}H", machine)


def at(offset: int, magic: bytes) -> bytes:
    return bytes(offset) + magic


@pytest.mark.parametrize(
    ("start", "what"),
    [
        (b"IGVM\2", "an IGVM file"),
        (b' {"MetadataItems": [], "OVMFHash": "00"}', "firmware metadata of sev-snp-measure-go"),
        (elf(62), "an ELF file for x86-64"),
        (elf(183), "an ELF file for Arm"),
        (elf(243), "an ELF file for RISC-V"),
        (elf(22, ">"), "an ELF file for another machine"),
        (pe_image(X86_64), "a PE file"),
        (b"MZ".ljust(0x202, b"\0") + b"HdrS", "a Linux kernel"),
        (at(0x202, b"HdrS"), "a Linux kernel"),
        (b"# Disk DescriptorFile\n", "the descriptor of a vmdk disk image"),
        (b"COWD", "VMware ESX"),
        (b"vhdxfile", "a VHDX disk image"),
        (b"conectix", "a VHD disk image"),
        (at(0x40, b"\x7f\x10\xda\xbe"), "a VDI disk image"),
        (b"PK\3\4", "a zip archive"),
        (at(257, b"ustar"), "a tar archive"),
        (b"\x04\x22\x4d\x18", "an lz4 file"),
        (b"LZIP", "an lzip file"),
        *[(one.magic, name) for name, one in formats().items()],
    ],
)
def test_a_file_of_another_format_is_named_even_if_it_ends_as_an_image(start: bytes, what: str) -> None:
    assert ends_as_image(start + IMAGE[len(start) :])
    for data in (start, start + IMAGE[len(start) :]):
        with pytest.raises(MalformedFirmware, match=what) as raised:
            OvmfImage.parse(data)
        assert raised.value.hint


@pytest.mark.parametrize("data", [qcow2(IMAGE), vmdk(IMAGE)], ids=["qcow2", "vmdk"])
def test_a_disk_image_of_an_image_is_never_measured_as_it_lies(data: bytes) -> None:
    with pytest.raises(MalformedFirmware, match="disk image"):
        OvmfImage.parse(data)


def test_a_vhd_of_fixed_size_is_known_by_its_footer() -> None:
    with pytest.raises(MalformedFirmware, match="a VHD disk image"):
        OvmfImage.parse(IMAGE + b"conectix".ljust(512, b"\0"))


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (code(ARM, reset_vector=False), r"firmware for Arm \(AArch64\)"),
        (bytes(PAGE) + code(ARM, reset_vector=False), r"firmware for Arm \(AArch64\)"),
        (code(RISC_V, reset_vector=False), "firmware for RISC-V"),
        (code(LOONGARCH, reset_vector=False), "firmware for LoongArch"),
        (code(X86_32), "firmware for 32-bit x86"),
        (code(X86_32, drivers=X86_32), "firmware for 32-bit x86"),
        (volume(16 * PAGE, filesystem=VARIABLES), r"a variable store \(VARS\)"),
        (volume(16 * PAGE, filesystem=VARIABLES) + b"\xff" * PAGE, r"a variable store \(VARS\)"),
    ],
)
def test_firmware_that_is_no_image_for_x86_64_is_named(data: bytes, what: str) -> None:
    with pytest.raises(MalformedFirmware, match=f"^not an OVMF image, but {what}$"):
        OvmfImage.parse(data)


def test_tdx_firmware_without_a_guid_table_is_named() -> None:
    image = bytearray(2 * PAGE)
    image[PAGE : PAGE + 4] = b"TDVF"
    image[-0x20:-0x1C] = struct.pack("<I", PAGE)
    with pytest.raises(MalformedFirmware, match="firmware for TDX alone"):
        OvmfImage.parse(bytes(image))


@pytest.mark.parametrize(
    "data",
    [
        bytes(PAGE),
        b"\xff" * PAGE,
        build_ovmf(pages=2)[:PAGE],
        code(X86_64, reset_vector=False),
        bytes(PAGE) + code(X86_64),
        volume(8 * PAGE, filesystem=VARIABLES) + volume(8 * PAGE),
    ],
)
def test_what_cannot_be_named_is_refused_with_a_hint(data: bytes) -> None:
    with pytest.raises(MalformedFirmware, match="not an OVMF image: it has no GUID table") as raised:
        OvmfImage.parse(data)
    assert "VARS" in str(raised.value.hint)


@pytest.mark.parametrize("image", [code(), code(None), code(X86_32, drivers=X86_64)], ids=["x64", "unknown", "ia32x64"])
def test_an_image_before_the_guid_table_has_a_volume_and_a_reset_vector(image: bytes) -> None:
    parsed = OvmfImage.parse(image)
    assert (parsed.table, parsed.reset_vector, parsed.hashes_area, parsed.sections) == ({}, None, None, ())
