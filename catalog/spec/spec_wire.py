"""A spec file as it is decoded, strictly: docs/spec.md describes each table and key."""

from __future__ import annotations

from msgspec import UNSET, UnsetType

from catalog.rows.numbers import Number
from catalog.spec.constraints import ConstraintWire
from catalog.wire import Wire

NO_KERNEL = "none"
"""Name in a spec for a launch without a kernel hashes table."""


class FirmwareWire(Wire, frozen=True):
    """The table [firmware].

    builds: names or globs of embedded builds.
    files: globs of images or records, relative to the spec.
    """

    builds: list[str] = []
    files: list[str] = []


class DefineWire(Wire, frozen=True):
    """A user-defined kernel hashes table.

    kernel, initrd: paths relative to the spec; or give their SHA-256 in hex.
    append, append_sha256: as in a record of data/kernel_hashes/.
    """

    name: str
    kernel: str | None = None
    kernel_sha256: str | None = None
    initrd: str | None = None
    initrd_sha256: str | None = None
    append: str | None = None
    append_sha256: str | None = None


class KernelHashesWire(Wire, frozen=True):
    """The table [kernel_hashes].

    tables: names or globs of embedded and defined tables; "none" is a launch without one.
    files: globs of kernel records, relative to the spec.
    define: user-defined tables.
    """

    tables: list[str] = []
    files: list[str] = []
    define: list[DefineWire] = []


class ImportsWire(Wire, frozen=True):
    """The table [imports].

    fleets: names or globs of embedded fleets.
    files: globs of import records, relative to the spec; their documents are in the folder documents/ beside each.
    roots: globs of root certificates and public keys, relative to the spec, for the signatures of documents.
    """

    fleets: list[str] = []
    files: list[str] = []
    roots: list[str] = []


class AxesWire(Wire, frozen=True):
    """The axes of one technology. Those that it does not measure stay empty.

    distinguished_bits: keep only digests with so many zero bits at the end, and find the others from these (see
    docs/index.md); 0: keep every digest.
    """

    vmm: list[str] = []
    vcpu_signatures: list[Number] = []
    sev_features: list[Number] = []
    vcpus: list[Number] = []
    distinguished_bits: int = 0


class SpecWire(Wire, frozen=True):
    """A spec file; see docs/spec.md."""

    name: str
    firmware: FirmwareWire
    technologies: dict[str, AxesWire]
    kernel_hashes: KernelHashesWire = KernelHashesWire(tables=[NO_KERNEL])
    imports: ImportsWire | UnsetType = UNSET
    together: list[ConstraintWire] = []
