"""qcow2: QEMU docs/interop/qcow2.rst, versions 2 and 3; all numbers are big-endian."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass

from catalog.containers.container import DiskImage, too_large
from catalog.containers.zstd_frames import end_of_frame, unpack_frames
from catalog.errors import MalformedFirmware
from catalog.firmware.foreign_files import QCOW2
from catalog.firmware.ovmf import MAX_IMAGE_SIZE

_HEADER = struct.Struct(">4sIQIIQIIQ")
_FEATURES = struct.Struct(">QQQII")
_FEATURES_AT = 72
_COMPRESSION_AT = 104
_CLUSTER_BITS = range(9, 22)

_REFUSED = {
    0: "it was not closed properly (dirty bit)",
    1: "it is marked as corrupt",
    2: "its data are in another file",
    4: "it has extended L2 entries",
}
"""Bits of incompatible_features; bit 3, the compression type, is read."""
_COMPRESSION_TYPE = 1 << 3

_OFFSET = (1 << 56) - (1 << 9)
_COMPRESSED = 1 << 62
_ALL_ZERO = 1


class Qcow2(DiskImage):
    """A .qcow2 file."""

    name = "qcow2"
    magic = QCOW2
    command = "qemu-img convert -O raw FILE OVMF.fd"

    def raw(self, data: bytes) -> bytes:
        header = _Header.parse(data)
        whole = io.BytesIO()
        for cluster in range(-(-header.size // header.cluster_size)):
            whole.write(_cluster(data, header, _l2_entry(data, header, cluster)))
        whole.truncate(header.size)
        return whole.getvalue()


@dataclass(frozen=True, slots=True)
class _Header:
    """What of the header the data depend on. size: of the disk, in bytes. l1_offset, l1_size: in bytes and entries."""

    version: int
    cluster_bits: int
    size: int
    l1_offset: int
    l1_size: int
    inflate: Callable[[memoryview, int], bytes]

    @property
    def cluster_size(self) -> int:
        return 1 << self.cluster_bits

    @classmethod
    def parse(cls, data: bytes) -> _Header:
        if len(data) < _HEADER.size:
            raise MalformedFirmware("it ends within its header")
        _, version, backing, _, bits, size, crypt, l1_size, l1_offset = _HEADER.unpack_from(data)
        if version not in (2, 3):
            raise MalformedFirmware(f"version {version} is neither 2 nor 3")
        if backing:
            raise MalformedFirmware("it has a backing file, so it holds only a part of an image")
        if crypt:
            raise MalformedFirmware("it is encrypted")
        if bits not in _CLUSTER_BITS:
            raise MalformedFirmware(f"clusters of 2^{bits} bytes are not between 512 bytes and 2 MiB")
        if size > MAX_IMAGE_SIZE:
            raise too_large()
        return cls(version, bits, size, l1_offset, l1_size, _inflate if version == 2 else _features(data))


def _features(data: bytes) -> Callable[[memoryview, int], bytes]:
    """How clusters of a version 3 image are compressed; raises MalformedFirmware for features that are not read."""
    if len(data) < _COMPRESSION_AT:
        raise MalformedFirmware("it ends within its header")
    incompatible, _, _, _, length = _FEATURES.unpack_from(data, _FEATURES_AT)
    for bit, why in _REFUSED.items():
        if incompatible >> bit & 1:
            raise MalformedFirmware(f"{why}")
    if incompatible & ~_COMPRESSION_TYPE:
        raise MalformedFirmware(f"it has unknown incompatible features, {incompatible:#x}")
    kind = data[_COMPRESSION_AT] if length > _COMPRESSION_AT and len(data) > _COMPRESSION_AT else 0
    if kind not in (0, 1) or bool(kind) != bool(incompatible & _COMPRESSION_TYPE):
        raise MalformedFirmware(f"compression type {kind} is neither deflate nor zstd")
    return _unzstd if kind else _inflate


def _l2_entry(data: bytes, header: _Header, cluster: int) -> int:
    """The entry of a cluster in its L2 table; 0 if there is no such table."""
    entries_bits = header.cluster_bits - 3
    number, index = cluster >> entries_bits, cluster & (1 << entries_bits) - 1
    if number >= header.l1_size:
        raise MalformedFirmware(f"its L1 table of {header.l1_size} entries is too short")
    table = _u64(data, header.l1_offset + 8 * number) & _OFFSET
    return _u64(data, table + 8 * index) if table else 0


def _cluster(data: bytes, header: _Header, entry: int) -> bytes:
    """The contents of a cluster, of `cluster_size` bytes."""
    size = header.cluster_size
    if entry & _COMPRESSED:
        return _decompressed(data, header, entry)
    offset = entry & _OFFSET
    if not offset or (header.version == 3 and entry & _ALL_ZERO):
        return bytes(size)
    if offset >= len(data):
        raise MalformedFirmware(f"a cluster at {offset:#x} lies outside the file")
    return data[offset : offset + size].ljust(size, b"\0")  # the last one of a file may be short


def _decompressed(data: bytes, header: _Header, entry: int) -> bytes:
    """A compressed cluster: an offset in the low bits, and the number of further sectors of 512 bytes above it."""
    offset_bits = 62 - (header.cluster_bits - 8)
    offset = entry & (1 << offset_bits) - 1
    sectors = (entry & _COMPRESSED - 1) >> offset_bits
    packed = memoryview(data)[offset : offset + 512 * (sectors + 1) - offset % 512]
    cluster = header.inflate(packed, header.cluster_size)
    if len(cluster) != header.cluster_size:
        raise MalformedFirmware(f"a compressed cluster at {offset:#x} is too short")
    return cluster


def _inflate(packed: memoryview, size: int) -> bytes:
    try:
        return zlib.decompressobj(wbits=-12).decompress(packed, size)
    except zlib.error as error:
        raise MalformedFirmware(f"a compressed cluster is damaged: {error}") from error


def _unzstd(packed: memoryview, size: int) -> bytes:
    """What follows the frame in its last sector belongs to another cluster."""
    cluster = b""
    for chunk in unpack_frames(packed[: end_of_frame(packed, 0)]):
        cluster += chunk
        if len(cluster) >= size:
            break
    return cluster[:size]


def _u64(data: bytes, offset: int) -> int:
    if offset + 8 > len(data):
        raise MalformedFirmware(f"a table entry at {offset:#x} lies outside the file")
    return int.from_bytes(data[offset : offset + 8], "big")


FORMAT = Qcow2()
