"""Launch digests that somebody publishes: who endorses them, what is claimed, and bases from which more follow.

Hashes and digests are bytes; what a document does not say is None.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields

from catalog.imports.fact_checks import (
    U32_LIMIT,
    U64_LIMIT,
    check_digest,
    check_hash,
    check_number,
    check_text,
    check_vcpus,
)


@dataclass(frozen=True, slots=True)
class Endorser:
    """Who says that a launch digest is good.

    scheme: the form of the document.
    id: a did:x509, the SHA-256 of a root certificate or key, or a URL; None if the document does not say.
    feed: which of the endorser's series the document belongs to.
    svn: security version number of what is endorsed.
    """

    scheme: str
    id: str | None = None
    feed: str | None = None
    svn: int | None = None

    def __post_init__(self) -> None:
        for name in ("scheme", "id", "feed"):
            check_text(getattr(self, name), f"endorser: {name}")
        check_number(self.svn, U64_LIMIT, "endorser: svn")


@dataclass(frozen=True, slots=True)
class Claims:
    """What a document says about the launch of a digest; nobody but the endorser vouches for it.

    product: of AMD processors, such as Milan.
    policy: guest policy as the SNP ABI packs it.
    igvm_sha256: of the IGVM file that was launched.
    reset_vector: EIP of an AP.
    """

    vcpus: int | None = None
    vcpu_type: str | None = None
    product: str | None = None
    policy: int | None = None
    firmware_sha256: bytes | None = None
    firmware_sha384: bytes | None = None
    kernel_sha256: bytes | None = None
    initrd_sha256: bytes | None = None
    igvm_sha256: bytes | None = None
    reset_vector: int | None = None

    def __post_init__(self) -> None:
        check_vcpus(self.vcpus, "claims: vcpus")
        check_text(self.vcpu_type, "claims: vcpu_type")
        check_text(self.product, "claims: product")
        check_number(self.policy, U64_LIMIT, "claims: policy")
        check_number(self.reset_vector, U32_LIMIT, "claims: reset_vector")
        for name, size in _CLAIMED_HASHES.items():
            check_hash(getattr(self, name), size, f"claims: {name}")

    def given(self) -> dict[str, object]:
        """The claims that are made, by name, in the order of the fields."""
        named = ((one.name, getattr(self, one.name)) for one in fields(self))
        return {name: value for name, value in named if value is not None}


_CLAIMED_HASHES = {
    "firmware_sha256": 32,
    "firmware_sha384": 48,
    "kernel_sha256": 32,
    "initrd_sha256": 32,
    "igvm_sha256": 32,
}


@dataclass(frozen=True, slots=True)
class EndorsedDigest:
    """A launch digest that somebody endorses."""

    digest: bytes
    technology: str
    endorser: Endorser
    claims: Claims = field(default_factory=Claims)

    def __post_init__(self) -> None:
        check_digest(self.digest, self.technology, "endorsed")


@dataclass(frozen=True, slots=True)
class Base:
    """A published launch digest from which the digests of more vCPUs follow: each AP extends it by one VMSA page.

    vcpus: of the launch with this digest.
    reset_vector: EIP of an AP.
    vmm: name of a VMM profile.
    name: for people; made of the digest if none is given. Bases that differ in it alone are equal.
    """

    digest: bytes
    technology: str
    endorser: Endorser
    vcpus: int
    reset_vector: int | None = None
    product: str | None = None
    vcpu_type: str | None = None
    vmm: str | None = None
    sev_features: int | None = None
    name: str | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        check_digest(self.digest, self.technology, "base")
        check_vcpus(self.vcpus, "base: vcpus")
        check_number(self.reset_vector, U32_LIMIT, "base: reset_vector")
        for name in ("product", "vcpu_type", "vmm", "name"):
            check_text(getattr(self, name), f"base: {name}")
        check_number(self.sev_features, U64_LIMIT, "base: sev_features")

    @property
    def label(self) -> str:
        """Its name, or `base-` and the first 16 hex digits of its digest."""
        return self.name or f"base-{self.digest.hex()[:16]}"
