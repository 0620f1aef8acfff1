"""IGVM files, broken and whole: read, and reduced to what loaders measure of them."""

from __future__ import annotations

import zlib

from catalog.firmware.igvm.igvm_file import IgvmFile
from catalog.launch.igvm.igvm_launch import IgvmLaunch
from catalog.launch.igvm.reduce_igvm import reduce_igvm
from catalog.spec import embedded
from tests.fuzz.target import Target
from tests.support.igvm_builder import area, context, id_block, igvm_bytes, insert, page, platform, policy

_CHECKSUM = slice(20, 24)


def _whole(data: bytes) -> None:
    loaders = list(embedded.loaders().values())
    file = IgvmFile.parse(_with_checksum(data))
    component = reduce_igvm(file, [(one.igvm, one.technologies) for one in loaders if one.igvm])
    for technology in component.platforms:
        for loader in loaders:
            launch = IgvmLaunch(component, technology, loader)
            if launch.blocker is None and launch.vcpus_blocker(2) is None:
                list(launch.vmsa_updates(2, None))


def _with_checksum(data: bytes) -> bytes:
    """The file with a right CRC-32, which no mutation would find."""
    begin, size = (int.from_bytes(data[at : at + 4], "little") for at in (8, 12))
    fixed = data[: 24 if data[4:8] == b"\1\0\0\0" else 32]
    blank = fixed[: _CHECKSUM.start] + bytes(4) + fixed[_CHECKSUM.stop :]
    checksum = zlib.crc32(data[begin : begin + size], zlib.crc32(blank))
    return data[: _CHECKSUM.start] + checksum.to_bytes(4, "little") + data[_CHECKSUM.stop :]


def _files() -> list[bytes]:
    headers = (platform(), policy(), area(), page(0x1000, 1), insert(0x3000), page(0x2000), context(number=2))
    return [
        igvm_bytes(*headers, pages=2),
        igvm_bytes(*headers, id_block(bytes(48)), pages=2, version=2),
        igvm_bytes(platform(5), page(0x1000, 1), context(number=2), pages=2),
    ]


IGVM_TARGETS = {"igvm": Target(_whole, _files)}
