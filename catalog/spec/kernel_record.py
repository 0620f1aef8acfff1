"""KernelRecord: kernel, initrd and command line by hash, with the packages that they were published in."""

from __future__ import annotations

from dataclasses import dataclass

from catalog.abi.kernel_hashes import KernelHashes
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
    """A file of data/kernel_hashes/: the three inputs of a kernel hashes table. initrd: None if none is passed."""

    name: str
    kernel: BlobWire
    initrd: BlobWire | None = None
    append: str = ""


@dataclass(frozen=True, slots=True)
class KernelRecord:
    """A named kernel hashes table. append: the text of -append, without a NUL."""

    name: str
    hashes: KernelHashes
    append: str
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
        return cls(wire.name, hashes, wire.append, wire)
