"""The wire types of `ldcat-import/1`, our TOML for what was imported and is known in part. docs/import.md has the keys.

Hashes are lower-case hex; numbers may be written in 0x.
"""

from __future__ import annotations

from typing import Literal

from catalog.imports.imported import Checked
from catalog.wire import U32, Wire

FORMAT = "ldcat-import/1"


class DocumentWire(Wire, frozen=True):
    """The document that was imported, by its hash; or only `origin`, where values were published without one.

    time, certificate_until: seconds since 1970.
    """

    form: str
    checked: Checked
    sha256: str | None = None
    origin: str | None = None
    time: int | None = None
    certificate_until: int | None = None


class AreaWire(Wire, frozen=True):
    """The kernel hashes area. size: bytes, if it is known."""

    gpa: U32
    size: U32 | None = None


class SectionWire(Wire, frozen=True):
    """A SEV metadata section. type: its name, or its number if ldcat does not know it."""

    gpa: U32
    size: U32
    type: str | U32


class FirmwareWire(Wire, frozen=True):
    """A FirmwareFacts without a whole record."""

    name: str | None = None
    sha256: str | None = None
    sha384: str | None = None
    size: U32 | None = None
    reset_vector: U32 | None = None
    hashes_area: AreaWire | None = None
    snp_baseline: str | None = None
    sections: list[SectionWire] | None = None


class KernelWire(Wire, frozen=True):
    """A KernelFacts."""

    kernel_sha256: str
    name: str | None = None
    initrd_sha256: str | None = None
    append: str | None = None
    append_sha256: str | None = None
    append_words: list[str] = []


class EndorserWire(Wire, frozen=True):
    """An Endorser."""

    scheme: str
    id: str | None = None
    feed: str | None = None
    svn: int | None = None


class ClaimsWire(Wire, frozen=True):
    """A Claims."""

    vcpus: int | None = None
    vcpu_type: str | None = None
    product: str | None = None
    policy: int | None = None
    firmware_sha256: str | None = None
    firmware_sha384: str | None = None
    kernel_sha256: str | None = None
    initrd_sha256: str | None = None
    igvm_sha256: str | None = None
    reset_vector: int | None = None


class EndorsedWire(Wire, frozen=True):
    """An EndorsedDigest."""

    launch_digest: str
    technology: str
    endorser: EndorserWire
    claims: ClaimsWire = ClaimsWire()


class BaseWire(Wire, frozen=True):
    """A Base."""

    launch_digest: str
    technology: str
    endorser: EndorserWire
    vcpus: int
    name: str | None = None
    reset_vector: int | None = None
    product: str | None = None
    vcpu_type: str | None = None
    vmm: str | None = None
    sev_features: int | None = None


class ImportWire(Wire, frozen=True):
    """The whole file."""

    format: Literal["ldcat-import/1"]
    document: DocumentWire
    firmware: list[FirmwareWire] = []
    kernel: list[KernelWire] = []
    endorsed: list[EndorsedWire] = []
    base: list[BaseWire] = []
