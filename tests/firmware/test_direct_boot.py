"""What is measured of the files of a direct boot: PE images, patched kernels, and command lines."""

from __future__ import annotations

import hashlib
import struct

import pytest

from catalog.errors import MalformedFirmware
from catalog.firmware.tdx.authenticode import authenticode_sha384
from catalog.firmware.tdx.direct_boot import command_line_sha384, patched_kernel
from tests.support.pe_images import kernel_image, pe_image


def sha384(*parts: bytes) -> bytes:
    return hashlib.sha384(b"".join(parts)).digest()


@pytest.mark.parametrize("magic", [0x10B, 0x20B])
def test_checksum_and_signatures_are_left_out(magic: int) -> None:
    image = pe_image(magic=magic, checksum=7, signatures=b"S" * 24, behind=b"more")
    digest = authenticode_sha384(image)
    checksum, entry = 0x80 + 24 + 64, 0x80 + 24 + (96 if magic == 0x10B else 112) + 32
    assert digest == sha384(image[:checksum], image[checksum + 4 : entry], image[entry + 8 : -24])
    assert digest == authenticode_sha384(pe_image(magic=magic, checksum=9, signatures=b"T" * 24, behind=b"more"))
    assert digest != authenticode_sha384(pe_image(magic=magic, behind=b"More"))


def test_sections_are_in_the_order_of_the_file() -> None:
    image = pe_image(sections=(b"second", b"first"), reverse=True)
    assert authenticode_sha384(image) == sha384(image[:0xD8], image[0xDC:0x128], image[0x130:])


def test_an_image_without_directories_has_no_signatures() -> None:
    image = pe_image(directories=4)
    assert authenticode_sha384(image) == sha384(image[:0xD8], image[0xDC:])


@pytest.mark.parametrize(
    "image",
    [
        b"",
        b"MZ" + bytes(100),
        pe_image()[:0x90],
        pe_image(magic=0x107),
        pe_image()[:-1],
        pe_image(headers=1 << 20),
        pe_image(sections=(), signatures=b"S" * 8, stated=9),
    ],
)
def test_what_is_no_pe_image_is_refused(image: bytes) -> None:
    with pytest.raises(MalformedFirmware, match="no PE image"):
        authenticode_sha384(image)


def fields(kernel: bytes | None) -> tuple[int, ...]:
    assert kernel is not None
    return struct.unpack_from("<II", kernel, 0x218) + struct.unpack_from("<BB", kernel, 0x210)


def test_a_kernel_is_patched_as_qemu_does() -> None:
    kernel = kernel_image()
    made = patched_kernel(kernel, 0x1001)
    assert fields(made) == ((0x80000000 - 0x28000 - 1 - 0x1001) & ~0xFFF, 0x1001, 0xB0, 0x81)
    assert made is not None
    assert (made[0x224:0x226], made[0x228:0x22C]) == (b"\0\xfe", b"\0\0\2\0")
    changed = {at for at in range(len(kernel)) if made[at] != kernel[at]}
    assert changed <= {0x210, 0x211, *range(0x218, 0x220), 0x224, 0x225, *range(0x228, 0x22C)}
    assert fields(patched_kernel(kernel, None)) == (0, 0, 0xB0, 0x81)
    assert fields(patched_kernel(kernel_image(xlf=0), 0x1000))[0] == 0x37FFE000


def test_another_file_is_not_patched() -> None:
    for kernel in (b"", bytes(0x1000), kernel_image(protocol=0x202), kernel_image(loadflags=0)):
        assert patched_kernel(kernel, 5) is None
    assert patched_kernel(kernel_image(), 0x80000000) is None


def test_a_command_line_is_utf_16_with_nul() -> None:
    assert command_line_sha384("a", has_initrd=False) == sha384(b"a\0\0\0")
    assert command_line_sha384("a", has_initrd=True) == sha384("a initrd=initrd\0".encode("utf-16-le"))
