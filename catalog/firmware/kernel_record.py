"""KernelRecord: kernel, initrd and command line by hash, with the packages that they were published in."""

from __future__ import annotations

from dataclasses import dataclass, replace

from catalog.abi.kernel_hashes import KernelHashes
from catalog.errors import MalformedRecord
from catalog.wire import Wire, decode_toml, unhex


class BlobWire(Wire, frozen=True):
    """A file by its SHA-256 (lowercase hex), and where it was published."""

    sha256: str
    distribution: str | None = None
    suite: str | None = None
    package: str | None = None
    version: str | None = None
    package_sha256: str | None = None
    path: str | None = None


class KernelWire(Wire, frozen=True):
    """A file of data/kernel_hashes/: the three inputs of a kernel hashes table.

    initrd: None if none is passed.
    append: the command line; neither it nor append_sha256: an empty one.
    append_sha256: if only its hash is known: SHA-256 of the command line and its NUL, in hex.
    """

    name: str
    kernel: BlobWire
    initrd: BlobWire | None = None
    append: str | None = None
    append_sha256: str | None = None


@dataclass(frozen=True, slots=True)
class KernelRecord:
    """A named kernel hashes table. append: the text of -append, without a NUL; None if only its hash is known."""

    name: str
    hashes: KernelHashes
    append: str | None
    wire: KernelWire

    @classmethod
    def parse(cls, text: str) -> KernelRecord:
        """Read a record file; raises MalformedRecord naming the path of the wrong key."""
        return cls.of(decode_toml(text, KernelWire, "kernel hashes record"))

    @classmethod
    def of(cls, wire: KernelWire) -> KernelRecord:
        """From decoded fields; raises MalformedRecord for an invalid hash."""
        what = f"kernel hashes record {wire.name!r}"
        kernel = unhex(wire.kernel.sha256, 32, f"{what}: kernel.sha256")
        initrd = unhex(wire.initrd.sha256, 32, f"{what}: initrd.sha256") if wire.initrd else None
        for file, blob in (("kernel", wire.kernel), ("initrd", wire.initrd)):
            if blob and blob.package_sha256 is not None:
                unhex(blob.package_sha256, 32, f"{what}: {file}.package_sha256")
        hashes = KernelHashes.of(kernel=kernel, initrd=initrd, append=wire.append)
        if wire.append_sha256 is None:
            return cls(wire.name, hashes, wire.append or "", wire)
        cmdline = unhex(wire.append_sha256, 32, f"{what}: append_sha256")
        if wire.append is not None and hashes.cmdline != cmdline:
            raise MalformedRecord(f"{what}: append does not have the SHA-256 append_sha256")
        return cls(wire.name, replace(hashes, cmdline=cmdline), wire.append, wire)
