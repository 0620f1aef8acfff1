"""Small writers of what firmware images are distributed in: disk images, packages, compressed files."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

SECTOR = 512


def zstd(data: bytes) -> bytes:
    """One frame, whose header does not state the size: as of a pipe."""
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    return bytes(sink.getvalue())


def same(data: bytes) -> bytes:
    return data


COMPRESSORS: Mapping[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "xz": lzma.compress,
    "bzip2": bz2.compress,
    "zstd": zstd,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Qcow2:
    """What a qcow2 image says; the defaults are right for any data.

    compression: "deflate" or "zstd" for every second cluster; None for none.
    size, l1_size: in place of the right ones.
    """

    cluster_bits: int = 16
    version: int = 3
    compression: str | None = None
    backing: int = 0
    crypt: int = 0
    incompatible: int = 0
    compression_type: int | None = None
    size: int | None = None
    l1_size: int | None = None
    zero_flag: bool = False


def qcow2(raw: bytes, how: Qcow2 | None = None) -> bytes:
    """A qcow2 image of `raw`: header, L1 table, L2 tables, reference counts, clusters; none for zeros."""
    how = how or Qcow2()
    size = 1 << how.cluster_bits
    clusters = [raw[at : at + size].ljust(size, b"\0") for at in range(0, len(raw), size)]
    per_table = size // 8
    tables = -(-len(clusters) // per_table)
    l1_clusters = -(-8 * tables // size)
    head = max(size, 512)
    counts = head + (l1_clusters + tables) * size  # of references, which a reader does not need: all 0
    image = bytearray(counts + size)
    entries = []
    for number, cluster in enumerate(clusters):
        if not any(cluster):
            entries.append(1 if how.zero_flag else 0)
        elif how.compression and number % 2:
            packed = zstd(cluster) if how.compression == "zstd" else _deflate(cluster)
            at = len(image)
            sectors = (at % SECTOR + len(packed) - 1) // SECTOR
            entries.append(1 << 62 | sectors << (62 - (how.cluster_bits - 8)) | at)
            image += packed
        else:
            image += bytes(-len(image) % size)
            entries.append(1 << 63 | len(image))
            image += cluster
    for table in range(tables):
        at = head + (l1_clusters + table) * size
        struct.pack_into(">Q", image, head + 8 * table, 1 << 63 | at)
        some = entries[table * per_table : (table + 1) * per_table]
        struct.pack_into(f">{len(some)}Q", image, at, *some)
    kind = how.compression_type if how.compression_type is not None else int(how.compression == "zstd")
    struct.pack_into(
        ">4sIQIIQIIQQIIQ",
        image,
        0,
        b"QFI\xfb",
        how.version,
        how.backing,
        0,
        how.cluster_bits,
        len(raw) if how.size is None else how.size,
        how.crypt,
        tables if how.l1_size is None else how.l1_size,
        head,
        counts,
        1,
        0,
        0,
    )
    if how.version == 3:
        bits = how.incompatible | (8 if how.compression == "zstd" else 0)
        struct.pack_into(">QQQIIB", image, 72, bits, 0, 0, 4, 112, kind)
    return bytes(image)


@dataclass(frozen=True, slots=True, kw_only=True)
class Vmdk:
    """What a vmdk image says; the defaults are right for any data. kind: monolithicSparse or streamOptimized."""

    kind: str = "monolithicSparse"
    create_type: str | None = None
    parent: str = "ffffffff"
    grain: int = 128
    entries: int = 512
    capacity: int | None = None
    unclean: int = 0
    algorithm: int | None = None
    descriptor: bool = True


def vmdk(raw: bytes, how: Vmdk | None = None) -> bytes:
    """A vmdk image of `raw` in one file; grains of zeros are left out."""
    how = how or Vmdk()
    stream = how.kind == "streamOptimized"
    text = (
        f'# Disk DescriptorFile\nversion=1\nCID=1\nparentCID={how.parent}\ncreateType="{how.create_type or how.kind}"\n'
    )
    grains = [raw[at : at + how.grain * SECTOR] for at in range(0, len(raw), how.grain * SECTOR)]
    image = bytearray(21 * SECTOR)
    places = []
    for number, grain in enumerate(grains):
        if not any(grain):
            places.append(0)
            continue
        places.append(len(image) // SECTOR)
        if stream:
            packed = zlib.compress(grain)
            image += struct.pack("<QI", number * how.grain, len(packed)) + packed
        else:
            image += grain.ljust(how.grain * SECTOR, b"\0")
        image += bytes(-len(image) % SECTOR)
    tables = []
    for at in range(0, len(places), how.entries):
        tables.append(len(image) // SECTOR)
        image += struct.pack(f"<{how.entries}I", *(places[at : at + how.entries] + [0] * how.entries)[: how.entries])
        image += bytes(-len(image) % SECTOR)
    directory = len(image) // SECTOR
    image += struct.pack(f"<{len(tables)}I", *tables)
    image += bytes(-len(image) % SECTOR)
    flags = 0x30001 if stream else 1
    algorithm = int(stream) if how.algorithm is None else how.algorithm
    capacity = len(raw) // SECTOR if how.capacity is None else how.capacity

    def header(at: int) -> bytes:
        fields = (capacity, how.grain, 1 if how.descriptor else 0, 20, how.entries, 0, at, 21, how.unclean)
        return struct.pack("<4sIIQQQQIQQQB4sH", b"KDMV", 3, flags, *fields, b"\n \r\n", algorithm).ljust(SECTOR, b"\0")

    image[:SECTOR] = header((1 << 64) - 1 if stream else directory)
    if how.descriptor:
        image[SECTOR : SECTOR + len(text)] = text.encode()
    if stream:
        image += struct.pack("<QII", 1, 0, 3).ljust(SECTOR, b"\0")  # the footer follows
        image += header(directory) + bytes(SECTOR)
    return bytes(image)


@dataclass(frozen=True, slots=True)
class File:
    """A file of a package. link: what it points to, if it is a symbolic link."""

    path: str
    contents: bytes = b""
    link: str | None = None


def tar(files: Sequence[File]) -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as target:
        for file in files:
            entry = tarfile.TarInfo(f"./{file.path}")
            entry.size = len(file.contents)
            if file.link is not None:
                entry.type, entry.linkname = tarfile.SYMTYPE, file.link
            target.addfile(entry, io.BytesIO(file.contents))
    return archive.getvalue()


def deb(files: Sequence[File], compress: Callable[[bytes], bytes] = lzma.compress) -> bytes:
    """A Debian package."""
    members = (("debian-binary", b"2.0\n"), ("control.tar.xz", b"odd"), ("data.tar", compress(tar(files))))
    return b"!<arch>\n" + b"".join(_ar_member(name, data) for name, data in members)


def _ar_member(name: str, data: bytes) -> bytes:
    header = f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(data):<10}`\n".encode()
    return header + data + b"\n" * (len(data) % 2)


def cpio(files: Sequence[File], magic: bytes = b"070701") -> bytes:
    archive = bytearray()
    for file in (File("a", link=None), *files, File("TRAILER!!!")):
        name = (f"./{file.path}" if file.contents or file.link else file.path).encode() + b"\0"
        contents = file.contents if file.link is None else file.link.encode()
        mode = 0o040755 if file.path == "a" else 0o100644 if file.link is None else 0o120777
        fields = (0, mode, 0, 0, 1, 0, len(contents), 0, 0, 0, 0, len(name), 0)
        archive += magic + b"".join(b"%08x" % field for field in fields) + name
        archive += bytes(-len(archive) % 4) + contents
        archive += bytes(-len(archive) % 4)
    return bytes(archive)


def rpm(files: Sequence[File], compress: Callable[[bytes], bytes] = zstd, archive: bytes | None = None) -> bytes:
    """An RPM package. archive: in place of the cpio archive."""
    signature = b"\x8e\xad\xe8\1" + bytes(4) + struct.pack(">II", 1, 3) + bytes(16 + 3)
    header = b"\x8e\xad\xe8\1" + bytes(4) + struct.pack(">II", 2, 5) + bytes(32 + 5)
    lead = b"\xed\xab\xee\xdb".ljust(96, b"\0")
    return (
        lead + signature + bytes(-len(signature) % 8) + header + compress(cpio(files) if archive is None else archive)
    )


def _deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-12)
    return packer.compress(data) + packer.flush()
